"""The HTTP session both SDKs are given."""

from __future__ import annotations

import requests
from requests.utils import get_environ_proxies


def kept_session(url: str, session: requests.Session | None = None) -> requests.Session:
    """A session for calls to `url` that keeps its connections and has read the environment's
    proxies once; requests by itself reads them again for every call (a fifth of a call's CPU)."""
    made = session or requests.Session()
    made.proxies.update(get_environ_proxies(url))
    made.trust_env = False
    return made
