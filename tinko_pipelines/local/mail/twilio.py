"""The SMS side: Twilio's message resource, as its SDK posts to it."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from tinko_pipelines.local.mail.store import Message, Store


def problem(status: int, code: int, message: str) -> JSONResponse:
    """An error as Twilio shapes it (https://www.twilio.com/docs/api/errors)."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse(
        {"code": code, "message": message, "more_info": more, "status": status}, status
    )


@dataclass(frozen=True, slots=True)
class Twilio:
    """`POST /2010-04-01/Accounts/{sid}/Messages.json`; without a token any caller is let in."""

    store: Store
    token: str

    async def create_message(self, request: Request) -> JSONResponse:
        sid = request.path_params["sid"]
        if self.token and not _authenticated(request, sid, self.token):
            return problem(401, 20003, "Authenticate")
        form = await request.form()
        to, body = str(form.get("To") or ""), str(form.get("Body") or "")
        sender = str(form.get("From") or form.get("MessagingServiceSid") or "")
        for value, code, missing in (
            (to, 21604, "A 'To' phone number is required."),
            (sender, 21603, "A 'From' phone number is required."),
            (body, 21602, "Message body is required."),
        ):
            if not value:
                return problem(400, code, missing)
        number = self.store.add(
            Message(channel="sms", sender=sender, recipient=to, subject="", text=body)
        )
        return JSONResponse(_resource(sid, number, to, sender, body), 201)


def _authenticated(request: Request, sid: str, token: str) -> bool:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(value)
    except binascii.Error:
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, f"{sid}:{token}".encode())


def _resource(sid: str, number: int, to: str, sender: str, body: str) -> dict[str, Any]:
    message_sid = f"SM{number:032x}"
    now = format_datetime(datetime.now(UTC))
    return {
        "sid": message_sid,
        "account_sid": sid,
        "api_version": "2010-04-01",
        "to": to,
        "from": sender,
        "body": body,
        "status": "queued",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "error_message": None,
        "messaging_service_sid": None,
        "date_created": now,
        "date_updated": now,
        "date_sent": None,
        "uri": f"/2010-04-01/Accounts/{sid}/Messages/{message_sid}.json",
        "subresource_uris": {},
    }
