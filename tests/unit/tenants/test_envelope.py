import base64
import os
from uuid import uuid4

import pytest
from pydantic import SecretStr

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.tenants.envelope import Envelope, Sealed


def key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def envelope(*keys):
    return Envelope.from_setting(SecretStr(",".join(keys)))


def test_what_is_sealed_opens_again_and_differs_each_time():
    held, owner = envelope(key()), uuid4()
    first, second = held.seal(b"sk_live_1", owner), held.seal(b"sk_live_1", owner)
    assert held.open(first, owner) == held.open(second, owner) == b"sk_live_1"
    assert first.credentials != second.credentials
    assert first.wrapped_key != second.wrapped_key
    assert b"sk_live_1" not in first.credentials + first.wrapped_key


def test_it_opens_for_its_own_connection_only():
    held = envelope(key())
    sealed = held.seal(b"secret", uuid4())
    with pytest.raises(SettingsError, match="damaged"):
        held.open(sealed, uuid4())


@pytest.mark.parametrize("part", ["credentials", "wrapped_key"])
def test_a_changed_bit_is_noticed(part):
    held, owner = envelope(key()), uuid4()
    sealed = held.seal(b"secret", owner)
    kept = {"credentials": sealed.credentials, "wrapped_key": sealed.wrapped_key}
    kept[part] = kept[part][:-1] + bytes([kept[part][-1] ^ 1])
    with pytest.raises(SettingsError, match="damaged"):
        held.open(Sealed(**kept), owner)


def test_an_older_key_still_opens_and_the_newest_seals():
    old, new, owner = key(), key(), uuid4()
    sealed = envelope(old).seal(b"secret", owner)
    assert envelope(new, old).open(sealed, owner) == b"secret"
    resealed = envelope(new, old).seal(b"secret", owner)
    assert envelope(new).open(resealed, owner) == b"secret"
    with pytest.raises(SettingsError, match="does not hold the key"):
        envelope(new).open(sealed, owner)


@pytest.mark.parametrize("value", [None, "", "short", "x" * 44, "A" * 36])
def test_a_malformed_key_is_named(value):
    with pytest.raises(SettingsError, match="CREDENTIALS_KEY"):
        Envelope.from_setting(None if value is None else SecretStr(value))
