"""The JSON body of a route, read here so that hostile depth and size get a clear answer."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from fastapi import Depends, Request

from api.dependencies import require_key
from tinko_pipelines.core.errors import BodyNotJson, BodyTooLarge
from tinko_pipelines.core.tenants.api_keys import KeyOwner

MAX_BYTES = 1_048_576


Owner = Annotated[KeyOwner, Depends(require_key)]


async def json_body(request: Request, _: Owner) -> Any:
    """The body as JSON values; None where there is none. Raises BodyTooLarge or BodyNotJson."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise BodyTooLarge(f"the body is larger than {MAX_BYTES} bytes")
        parts.append(part)
    if not size:
        return None
    try:
        return json.loads(b"".join(parts), parse_constant=_not_json)
    except RecursionError:
        raise BodyNotJson("the body is nested too deep to be read") from None
    except ValueError as error:
        raise BodyNotJson(f"the body is not JSON: {error}"[:200]) from None


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


JsonBody = Annotated[Any, Depends(json_body)]
