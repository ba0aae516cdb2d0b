"""Idempotency keys, as Stripe keeps them: 24 hours of real time, results of what began only."""

from __future__ import annotations

import time
from hashlib import sha256

from tinko_pipelines.sandbox.store import Doc, Store
from tinko_pipelines.sandbox.stripe.errors import StripeError

KEPT_SECONDS = 24 * 3600


class Idempotency:
    """Saved answers by (account, key); the ones in flight are known to this process only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_flight: set[str] = set()

    def begin(self, account: Doc, key: str, method: str, path: str, body: bytes) -> Doc | None:
        """The saved answer {status, body} of an earlier request with this key, or None.

        Raises StripeError 400 when the key came with other parameters, 409 while in flight.
        """
        id_, mark = self._id(account, key), self._mark(method, path, body)
        if id_ in self._in_flight:
            raise StripeError(
                409, "idempotency_error",
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.", code="idempotency_key_in_use",
            )  # fmt: skip
        kept = self._store.get("idempotency", id_)
        if kept is not None and time.time() - kept["wall"] < KEPT_SECONDS:
            if kept["mark"] != mark:
                raise StripeError(
                    400, "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they "
                    f"were first used with. Try using a key other than '{key}' if you meant to "
                    "execute a different request.",
                )  # fmt: skip
            return kept
        self._in_flight.add(id_)
        return None

    def save(self, account: Doc, key: str, method: str, path: str, body: bytes, *,
             status: int, answer: str, request: str) -> None:  # fmt: skip
        """Keep what came of an execution that began."""
        self._store.put(
            "idempotency",
            {"id": self._id(account, key), "mark": self._mark(method, path, body),
             "status": status, "body": answer, "wall": time.time(), "request": request},
        )  # fmt: skip

    def end(self, account: Doc, key: str) -> None:
        """The request with this key is no longer in flight."""
        self._in_flight.discard(self._id(account, key))

    @staticmethod
    def _id(account: Doc, key: str) -> str:
        return f"{account['id']}/{key}"

    @staticmethod
    def _mark(method: str, path: str, body: bytes) -> str:
        return sha256(f"{method} {path}\n".encode() + body).hexdigest()
