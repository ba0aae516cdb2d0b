"""Text messages through Twilio's own SDK, pointed elsewhere by `TWILIO_BASE_URL`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from requests import RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tinko_pipelines.core.notifications.channels import (
    TIMEOUT_SECONDS,
    Delivery,
    Envelope,
    Result,
    shorten,
)
from tinko_pipelines.core.settings import Settings


class _BasedHttpClient(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with every address moved to `base_url`; one try, with a timeout."""

    def __init__(self, base_url: str | None, timeout: float) -> None:
        super().__init__(timeout=timeout, max_retries=0)
        self._base = urlsplit(base_url) if base_url else None

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        if self._base is not None:
            asked = urlsplit(url)
            path = self._base.path.rstrip("/") + asked.path
            url = urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))
        return super().request(method, url, *args, **options)


class TwilioChannel:
    """The account of `TWILIO_ACCOUNT_SID`, sending from `TWILIO_FROM`. Raises where one is unset.

    A number starts a sender; an id that starts with MG is a messaging service.
    """

    def __init__(self, settings: Settings, timeout: float = TIMEOUT_SECONDS) -> None:
        sid, token, sender = (
            settings.twilio_account_sid,
            settings.twilio_auth_token,
            settings.twilio_from,
        )
        if not (sid and token and sender):
            raise ValueError("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM go together")
        self._http = _BasedHttpClient(settings.twilio_base_url, timeout)
        self._client = Client(sid, token.get_secret_value(), http_client=self._http)
        kind = "messaging_service_sid" if sender.startswith("MG") else "from_"
        self._sender = {kind: sender}

    def send(self, envelope: Envelope) -> Delivery:
        """One try. 429 and 5xx are for later; another 4xx is about this number or text."""
        try:
            self._client.messages.create(
                to=envelope.recipient, body=envelope.content.sms, **self._sender
            )
        except TwilioRestException as error:
            detail = shorten(f"{error.status} {error.code or ''} {error.msg}")
            if error.status >= 500:
                return Delivery(Result.UNREACHABLE, False, detail)
            # 401 and 403 are about our account, not about the payer
            permanent = error.status not in (401, 403, 408, 429)
            return Delivery(Result.REFUSED, permanent, detail)
        except (RequestException, TwilioException, OSError) as error:
            return Delivery(Result.UNREACHABLE, False, shorten(f"{type(error).__name__}: {error}"))
        return Delivery(Result.ACCEPTED)

    def close(self) -> None:
        if self._http.session is not None:
            self._http.session.close()
