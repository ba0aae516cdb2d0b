"""The look of the PSPs' hosted pages: one page a person or the payers' agent can pay on.

A page with something to pay has `<form id="pay">`; posting it with `card=saved|new` pays, and
the answer names the outcome in the `x-sandbox-outcome` header (see `agent.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse, RedirectResponse, Response

from tinko_pipelines.core.money import Money
from tinko_pipelines.sandbox.agent import OUTCOME_HEADER

_STYLE = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;
font:16px/1.5 system-ui,sans-serif;background:#eef1f6;color:#1a2233}
main{width:100%;max-width:400px;background:#fff;border-radius:14px;padding:32px;
box-shadow:0 1px 2px #0001,0 12px 32px #1a223314}
header{display:flex;justify-content:space-between;font-size:13px;color:#5b667a}
h1{font-size:34px;margin:20px 0 0;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
p{margin:4px 0 20px;color:#5b667a}
.note{border-radius:8px;padding:10px 12px;margin:0 0 16px;font-size:14px}
.failed{background:#fdecec;color:#8f1d1d}.done{background:#e6f6ec;color:#12582e}
button{width:100%;padding:12px;border-radius:9px;border:1px solid #c9d1de;background:#fff;
font:inherit;font-weight:600;color:inherit;cursor:pointer;margin-top:10px}
button.first{background:#3b5bdb;border-color:#3b5bdb;color:#fff}
button:focus-visible{outline:3px solid #91a7ff;outline-offset:2px}
footer{margin-top:22px;font-size:12px;color:#8590a3;text-align:center}
@media(prefers-color-scheme:dark){body{background:#10141c;color:#e7ebf3}
main{background:#1a202c;box-shadow:none}header,p{color:#a3adbf}
button{background:#232b3a;border-color:#38435a}.failed{background:#4a1f22;color:#ffc9c9}
.done{background:#173a27;color:#b2f2bb}}
"""


def page(
    *, brand: str, merchant: str, money: Money, about: str, note: str = "", state: str = "open",
    action: str = "", fields: Mapping[str, str] | None = None, saved: str | None = None,
    status: int = 200, outcome: str | None = None,
) -> HTMLResponse:  # fmt: skip
    """The page of one door. `state`: open (can be paid), done, or closed.

    `saved` names the stored instrument ("Visa •••• 4242"); without one only a new card is offered.
    """
    form = ""
    if state == "open":
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in (fields or {}).items()
        )
        saved_button = new_class = ""
        if saved:
            saved_button = (
                f'<button class="first" name="card" value="saved">Pay with {escape(saved)}</button>'
            )
        else:
            new_class = ' class="first"'
        form = (
            f'<form id="pay" method="post" action="{escape(action)}">{hidden}{saved_button}'
            f'<button name="card" value="new"{new_class}>Pay with a new card</button></form>'
        )
    kind = "done" if state == "done" else "failed"
    told = f'<div class="note {kind}" role="status">{escape(note)}</div>' if note else ""
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Pay {escape(merchant)}</title><style>{_STYLE}</style></head><body><main>"
        f"<header><span>{escape(merchant)}</span><span>{escape(brand)}</span></header>"
        f"<h1>{escape(money.format())}</h1><p>{escape(about)}</p>{told}{form}"
        f"<footer>Sandbox: no real money moves here</footer></main></body></html>"
    )
    headers = {OUTCOME_HEADER: outcome} if outcome else None
    return HTMLResponse(body, status_code=status, headers=headers)


def gone_to(url: str, outcome: str) -> Response:
    """A redirect away from the page after paying."""
    return RedirectResponse(url, status_code=303, headers={OUTCOME_HEADER: outcome})
