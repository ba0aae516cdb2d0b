"""The JSON body of a route, read here so that hostile depth and size get a clear answer."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from fastapi import Depends, Request

from api.bodies import read_up_to
from api.dependencies import require_key
from tinko_pipelines.core.errors import BodyNotJson
from tinko_pipelines.core.tenants.api_keys import KeyOwner

MAX_BYTES = 1_048_576


Owner = Annotated[KeyOwner, Depends(require_key)]


async def json_body(request: Request, _: Owner) -> Any:
    """The body as JSON values; None where there is none. Raises BodyTooLarge or BodyNotJson."""
    raw = await read_up_to(request, MAX_BYTES)
    if not raw:
        return None
    try:
        return json.loads(raw, parse_constant=_not_json)
    except RecursionError:
        raise BodyNotJson("the body is nested too deep to be read") from None
    except ValueError as error:
        raise BodyNotJson(f"the body is not JSON: {error}"[:200]) from None


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


JsonBody = Annotated[Any, Depends(json_body)]
