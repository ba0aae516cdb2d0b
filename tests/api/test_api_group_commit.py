"""Group commit: shared by many, answered after its own commit, spoilt by nobody."""

import asyncio

import pytest

from api.errors import Unavailable
from api.webhooks.group_commit import GroupCommit, SharedFailure


class Store:
    """Commits what it is given, at a pace; refuses what it is told to."""

    def __init__(self, poison=(), shared=None, pace=0.001):
        self.batches, self.committed = [], []
        self.poison, self.shared, self.pace = set(poison), shared, pace

    async def __call__(self, items):
        self.batches.append(list(items))
        await asyncio.sleep(self.pace)
        if self.shared is not None:
            raise SharedFailure(self.shared)
        if bad := self.poison & set(items):
            raise ValueError(f"cannot store {bad}")
        self.committed.extend(items)
        return [item * 10 for item in items]


def run(work):
    return asyncio.run(asyncio.wait_for(work, 20))


def test_each_gets_its_own_result_and_many_share_a_commit():
    store = Store()

    async def work():
        commits = GroupCommit(store)
        return await asyncio.gather(*(commits.submit(number) for number in range(100)))

    assert run(work()) == [number * 10 for number in range(100)]
    assert len(store.batches) < 10


def test_a_lone_item_does_not_wait_for_company():
    store = Store()

    async def work():
        return await GroupCommit(store).submit(1)

    assert run(work()) == 10
    assert store.batches == [[1]]


def test_what_arrives_during_a_commit_goes_with_the_next():
    store = Store()

    async def work():
        commits = GroupCommit(store)
        first = asyncio.create_task(commits.submit(0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.gather(first, *(commits.submit(number) for number in range(1, 6)))

    run(work())
    assert store.batches == [[0], [1, 2, 3, 4, 5]]


def test_one_poisonous_item_fails_alone():
    store = Store(poison=[3])

    async def work():
        commits = GroupCommit(store)
        return await asyncio.gather(
            *(commits.submit(number) for number in range(6)), return_exceptions=True
        )

    results = run(work())
    assert isinstance(results.pop(3), ValueError)
    assert results == [0, 10, 20, 40, 50]
    assert sorted(store.committed) == [0, 1, 2, 4, 5]


def test_a_shared_failure_is_everybodys_and_is_not_tried_one_by_one():
    store = Store(shared=Unavailable("down"))

    async def work():
        commits = GroupCommit(store)
        return await asyncio.gather(
            *(commits.submit(number) for number in range(6)), return_exceptions=True
        )

    assert all(isinstance(result, Unavailable) for result in run(work()))
    assert len(store.batches) == 1


def test_too_many_waiting_are_refused_at_once():
    async def work():
        commits = GroupCommit(Store(pace=0.05), max_waiting=2, max_batch=1)
        tasks = [asyncio.create_task(commits.submit(number)) for number in range(5)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(work())
    assert [isinstance(result, Unavailable) for result in results] == [False] * 2 + [True] * 3


def test_a_submitter_that_goes_away_spoils_nothing():
    store = Store()

    async def work():
        commits = GroupCommit(store)
        leaving = asyncio.create_task(commits.submit(1))
        staying = asyncio.create_task(commits.submit(2))
        await asyncio.sleep(0)
        leaving.cancel()
        result = await staying
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return result

    assert run(work()) == 20
    assert store.committed == [1, 2]


def test_items_that_come_just_as_a_writer_ends_are_written():
    """Each submitter comes back at the moment its batch is done, when the writer is ending."""

    async def work():
        commits = GroupCommit(Store(pace=0))

        async def submitter(start):
            for number in range(start, start + 50):
                await commits.submit(number)

        await asyncio.gather(*(submitter(1000 * index) for index in range(8)))
        return commits.waiting

    assert run(work()) == 0


def test_drain_waits_for_what_was_submitted():
    store = Store(pace=0.02)

    async def work():
        commits = GroupCommit(store)
        tasks = [asyncio.create_task(commits.submit(number)) for number in range(3)]
        await asyncio.sleep(0)
        await commits.drain()
        return [task.done() for task in tasks] or store.committed

    run(work())
    assert store.committed == [0, 1, 2]
