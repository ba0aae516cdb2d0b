"""Great Expectations' pages as they look where nothing is loaded from elsewhere.

They take their styles, icons and scripts from content networks. Those are left out, and what of
them the pages need is put in their place: a part of Bootstrap's styles, and a few lines of script.
"""

from __future__ import annotations

import re
from functools import cache

from api.services import HERE

_STATIC = HERE / "console" / "static"
_ELSEWHERE = re.compile(
    r"<link\b[^>]*\bhref=\"(?:https?:)?//[^>]*>"
    r"|<script\b[^>]*\bsrc=\"(?:https?:)?//[^>]*>\s*</script>",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"\bsrc=\"https?://[^\"]*/([\w.-]+\.(?:png|svg|gif))(?:\?[^\"]*)?\"")
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


def offline(page: str, path: str) -> str:
    """The page that lies at `path` of its site, asking for nothing outside of the site. Pure but
    for the two files that are read once."""
    up = "../" * path.count("/")
    kept = _PICTURE.sub(rf'src="{up}static/images/\1"', _ELSEWHERE.sub("", page))
    return _HEAD.sub(lambda found: found.group() + _own(), kept, count=1)


@cache
def _own() -> str:
    style = (_STATIC / "data-docs.css").read_text()
    script = (_STATIC / "data-docs.js").read_text()
    return f"<style>{style}</style><script>{script}</script>"
