"""Group commit: what arrives while one batch is being stored is stored by the next.

There is no waiting when idle: the first item starts a batch at once, and all that the event loop
has ready by then joins it. The longer a commit takes, the larger the next batch, so the cost of
one commit is shared by all who wait for it. Each submitter is answered after its own commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from api.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

Store = Callable[[list[Item]], Awaitable[list[Result]]]


class SharedFailure(Exception):
    """Raised by a store when its failure has nothing to do with any one item of the batch."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class GroupCommit(Generic[Item, Result]):
    """Collects items and hands them to `store` in batches, one batch per writer at a time.

    `store` commits all of a batch or nothing of it, and may be called again with the same items.
    When it fails, the items are stored one by one, so that a poisonous one fails alone; except
    for SharedFailure, whose reason every item gets.
    """

    def __init__(
        self,
        store: Store[Item, Result],
        *,
        writers: int = 1,
        max_batch: int = 256,
        max_waiting: int = 4096,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._store = store
        self._writers = writers
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._observe = observe
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        """The result of `item`, once it is committed.

        Raises Unavailable when too many wait already, and what the store raised for this item.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable("too many events wait to be stored", retry_after=1)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writing < self._writers:
            self._writing += 1
            task = asyncio.create_task(self._write())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._max_batch)
                batch = [self._waiting.popleft() for _ in range(size)]
                self._observe(size)
                await self._settle(batch)
        finally:
            # here and not when the task is done: an item that comes in between needs a writer
            self._writing -= 1

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._store([item for item, _ in batch])
        except SharedFailure as failure:
            _fail(batch, failure.reason)
        except asyncio.CancelledError:
            _fail(batch, Unavailable("the service is stopping"))
            raise
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for one in batch:
                await self._settle([one])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(batch: list[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, future in batch:
        # a submitter that went away has cancelled its future
        if not future.done():
            future.set_exception(error)
