"""The fault script, Stripe's form encoding, and webhooks over a kept connection."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.faults import AFTER, BEFORE, Faults
from tinko_pipelines.sandbox.poster import Poster
from tinko_pipelines.sandbox.store import Store
from tinko_pipelines.sandbox.stripe import forms
from tinko_pipelines.sandbox.stripe.errors import StripeError
from tinko_pipelines.sandbox.stripe.idempotency import KEPT_SECONDS, Idempotency
from tinko_pipelines.sandbox.world import World, epoch


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "s.db")


def strike(faults, *, psp="stripe", what="POST invoices/in_1/pay", at=100, charge=True):
    struck = faults.strikes(BEFORE + AFTER, psp, what, at=at, draws=Draws(1), charge=charge)
    return struck[0] if struck else None


def test_a_fault_strikes_as_often_as_it_says_also_across_a_restart(tmp_path, store):
    Faults(store).replace({"timeout_after_charge": 2})
    assert strike(Faults(store)) == "timeout_after_charge"
    store.commit()
    faults = Faults(Store(tmp_path / "s.db"))
    assert strike(faults) == "timeout_after_charge"
    assert strike(faults) is None


def test_charge_faults_leave_reads_alone(store):
    faults = Faults(store)
    faults.replace({"error_500_after_charge": True})
    assert strike(faults, charge=False) is None
    assert strike(faults) == "error_500_after_charge"


def test_a_fault_has_its_psp_its_path_and_its_window(store):
    faults = Faults(store)
    faults.replace({"outage": {"psp": "stripe", "match": "invoices", "from": 50, "to": 150}})
    assert strike(faults, psp="razorpay") is None
    assert strike(faults, what="GET charges") is None
    assert strike(faults, at=49) is None
    assert strike(faults, at=151) is None
    assert strike(faults, at=150, charge=False) == "outage"


def test_a_rate_is_kept_on_average_and_is_the_same_each_time(store):
    faults = Faults(store)

    def struck():
        faults.replace({"error_429": {"rate": 0.25}})
        return [strike(faults) is not None for _ in range(400)]

    first = struck()
    assert 60 < sum(first) < 140
    assert first == struck()


def test_replacing_the_script_replaces_all_of_it(store):
    faults = Faults(store)
    faults.replace({"error_429": 5, "outage": 0})
    assert set(faults.script) == {"error_429"}
    faults.replace({})
    assert strike(faults) is None
    with pytest.raises(ValueError, match="earthquake"):
        faults.replace({"earthquake": 1})
    with pytest.raises(ValueError, match="error_429"):
        faults.replace({"error_429": "often"})


leaves = st.one_of(st.text(max_size=8), st.integers(-9, 9).map(str))
keys = st.text("abcxyz_", min_size=1, max_size=6)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.dictionaries(keys, inner, min_size=1, max_size=3)
        | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(keys, trees, max_size=4))
def test_what_the_sdk_encodes_is_read_back(params):
    from urllib.parse import urlencode

    assert forms.parse(urlencode(list(_api_encode(params)))) == params


def test_brackets_without_a_number_make_a_list_too():
    assert forms.parse("expand[]=a&expand[]=b") == {"expand": ["a", "b"]}


@pytest.mark.parametrize("bad", ["a=1&a[b]=2"])
def test_a_contradictory_form_is_refused(bad):
    with pytest.raises(StripeError):
        forms.parse(bad)


def test_typed_parameters_say_what_is_wrong():
    for call, word in (
        (lambda: forms.integer({}, "amount"), "amount"),
        (lambda: forms.integer({"amount": "ten"}, "amount"), "ten"),
        (lambda: forms.integer({"amount": "0"}, "amount", least=1), "greater"),
        (lambda: forms.flag({"confirm": "yes"}, "confirm"), "yes"),
        (lambda: forms.text({}, "currency"), "currency"),
        (lambda: forms.table({"metadata": "x"}, "metadata"), "object"),
    ):
        with pytest.raises(StripeError, match=word) as caught:
            call()
        assert caught.value.status == 400


def test_a_key_is_kept_for_a_day_of_real_time(store, monkeypatch):
    account, keys = {"id": "stripe:a"}, Idempotency(store)
    assert keys.begin(account, "k", "POST", "p", b"x") is None
    keys.save(account, "k", "POST", "p", b"x", status=200, answer="{}", request="req_1")
    keys.end(account, "k")
    later = time.time() + KEPT_SECONDS - 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert keys.begin(account, "k", "POST", "p", b"x")["status"] == 200
    with pytest.raises(StripeError):
        keys.begin(account, "k", "POST", "p", b"y")
    with pytest.raises(StripeError):
        keys.begin(account, "k", "POST", "other", b"x")
    assert keys.begin({"id": "stripe:b"}, "k", "POST", "p", b"y") is None
    monkeypatch.setattr(time, "time", lambda: later + 120)
    assert keys.begin(account, "k", "POST", "p", b"y") is None


def serve(answers):
    """A server that answers each request of a connection with the next bytes, or ends it."""

    async def handle(reader, writer):
        served.append([])
        for answer in answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            served[-1].append(await reader.readexactly(length))
            writer.write(answer)
            await writer.drain()
        writer.close()

    served = []
    return handle, served


async def post_all(answers, count):
    handle, served = serve(answers)
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=1"
    poster, said = Poster(), []
    for number in range(count):
        try:
            said.append(await poster.post(url, f"b{number}".encode(), {"x": "y"}))
        except OSError as error:
            said.append(type(error))
        await asyncio.sleep(0.01)
    await poster.close()
    server.close()
    return said, served


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
CLOSES = b"HTTP/1.1 500 Oh\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def test_one_connection_serves_many_posts():
    said, served = asyncio.run(post_all([OK, CHUNKED, EMPTY, OK], 4))
    assert said == [200, 202, 204, 200]
    assert served == [[b"b0", b"b1", b"b2", b"b3"]]


def test_a_connection_the_receiver_closed_is_not_used_again():
    said, served = asyncio.run(post_all([CLOSES], 2))
    assert said == [500, 500]
    assert served == [[b"b0"], [b"b1"]]
    said, served = asyncio.run(post_all([OK], 2))  # closes without having said so
    assert said == [200, 200]
    assert served == [[b"b0"], [b"b1"]]


def test_no_answer_and_no_http_are_errors_and_nothing_is_sent_twice():
    said, served = asyncio.run(post_all([b""], 1))
    assert said == [ConnectionResetError]
    assert served == [[b"b0"]]
    said, _ = asyncio.run(post_all([b"SSH-2.0-nope\r\n"], 1))
    assert said == [ConnectionError]


def test_the_world_is_read_from_json_and_says_what_is_wrong():
    world = World.from_json({"seed": 3, "start": "2026-06-01T00:00:00Z", "obligations": 5})
    assert world.start == 1_780_272_000
    assert World.from_json(world.to_json()) == world
    assert epoch("2026-06-01T05:30:00+05:30") == epoch("2026-06-01T00:00:00") == world.start
    for body in ({"colour": "blue"}, {"days": -1}, {"obligations": "many"}, {"start": "soon"}):
        with pytest.raises(ValueError, match=r".+"):
            World.from_json(body)
