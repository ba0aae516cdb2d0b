"""SeaweedFS as the stack runs it."""

import os
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.servers import Server
from tinko_pipelines.local import probes, s3
from tinko_pipelines.local.ports import Ports


@pytest.fixture(scope="module")
def store(tmp_path_factory, free_port):
    data = tmp_path_factory.mktemp("s3")
    ports = Ports(s3=free_port(name="s3"))
    env = {**os.environ, **s3.environment("TINKOTEST", "secret")}
    (data / "d").mkdir()
    server = Server(s3.command(data / "d", ports), data / "log", probes.object_store(ports), env)
    server.port = ports.s3
    server.start()
    yield server
    server.stop()


def client(store, secret="secret"):
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{store.port}",
        aws_access_key_id="TINKOTEST",
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


def test_the_bucket_is_there_and_objects_survive_a_kill(store):
    body = os.urandom(100_000)
    client(store).put_object(Bucket=s3.BUCKET, Key="a/b.parquet", Body=body)
    store.kill()
    store.start()
    found = client(store).get_object(Bucket=s3.BUCKET, Key="a/b.parquet")["Body"].read()
    assert found == body


def test_a_wrong_key_is_refused(store):
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(store, "wrong").list_objects_v2(Bucket=s3.BUCKET)


def test_nobody_gets_in_without_a_key(store):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{store.port}/{s3.BUCKET}/a/b.parquet")
    assert caught.value.code == 403


def test_it_listens_on_the_loopback_alone(store):
    import psutil

    listening = {
        one.laddr.ip
        for one in psutil.Process(store.process.pid).net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
