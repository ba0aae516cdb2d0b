"""The ports of the stack, all on 127.0.0.1; each is moved by `TINKO_<NAME>_PORT`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

import psutil

from tinko_pipelines.core.errors import SettingsError, TinkoError

HOST = "127.0.0.1"
# SeaweedFS is several servers in one: they take the ports behind the S3 port, in this order
S3_INNER = (
    *("s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "admin.port"),
)
# its worker looks for the admin's gRPC port here and nowhere else
_ADMIN_GRPC_OFFSET = 10_000


class PortTaken(TinkoError):
    code, status, title = "port_taken", 500, "A port of the stack is taken"


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per part; `dagster_code` is the code server's, which only Dagster talks to."""

    api: int = 8000
    dagster: int = 3000
    postgres: int = 5433
    clickhouse: int = 8123
    s3: int = 8333
    sandbox: int = 8090
    mail: int = 8025
    smtp: int = 1025
    dagster_code: int = 4266

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Ports:
        """The defaults, moved by the environment. Raises SettingsError naming a malformed one."""
        given = os.environ if environment is None else environment
        moved: dict[str, int] = {}
        for item in fields(cls):
            value = given.get(variable(item.name), "").strip()
            if not value:
                continue
            if not value.isdecimal() or not 1 <= int(value) <= 65535:
                raise SettingsError(f"{variable(item.name)}: {value!r} is not a port (1 to 65535)")
            moved[item.name] = int(value)
        return cls(**moved)

    def all(self) -> dict[str, list[int]]:
        """Every port each name stands for; S3 has inner ones."""
        ports = {item.name: [getattr(self, item.name)] for item in fields(self)}
        ports["s3"] += self.s3_inner().values()
        return ports

    def s3_inner(self) -> dict[str, int]:
        """The ports SeaweedFS needs besides S3 itself, by the name of its option."""
        inner = {name: self.s3 + offset for offset, name in enumerate(S3_INNER, start=1)}
        return {**inner, "admin.port.grpc": inner["admin.port"] + _ADMIN_GRPC_OFFSET}


def variable(name: str) -> str:
    """The environment variable that moves the port of `name`."""
    return f"TINKO_{name.upper()}_PORT"


def is_free(port: int) -> bool:
    """Whether we could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(low: int = 18_000, high: int = 19_999, name: str = "api") -> int:
    """A port nobody listens on now, and all that `name` needs with it, for scratch stacks. For a
    while no other process is given it, so that two that start side by side do not race for one."""
    start = low + os.getpid() * 7 % (high - low)
    for offset in range(high - low):
        port = low + (start - low + offset) % (high - low)
        wanted = Ports(**{name: port}).all()[name]
        if all(is_free(one) for one in wanted) and _reserve(wanted):
            return port
    raise PortTaken(f"no port between {low} and {high} is free")


def free_ports() -> Ports:
    """A free port for each part, as `free_port` finds them."""
    return Ports(**{item.name: free_port(name=item.name) for item in fields(Ports)})


# files locked by this process, one for each port it was given lately
_reserved: deque[IO[bytes]] = deque()
_KEPT = 64


def _reserve(ports: Sequence[int]) -> bool:
    """Whether all of them are this process's now; none is where one of them is another's."""
    with contextlib.ExitStack() as held:
        try:
            files = [held.enter_context(_file(port).open("ab")) for port in ports]
            for one in files:
                fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        held.pop_all()
    _reserved.extend(files)
    while len(_reserved) > _KEPT:
        _reserved.popleft().close()
    return True


def _file(port: int) -> Path:
    return Path(tempfile.gettempdir()) / f"tinko-port-{port}"


def taken(ports: Ports, names: Iterable[str] | None = None) -> list[str]:
    """One line for every port of `names` (all by default) that somebody listens on, and who."""
    wanted = ports.all()
    return [
        f"port {port} ({name}) is taken{_by(port)}: stop that, or set {variable(name)} to another"
        for name in (names or wanted)
        for port in wanted[name]
        if not is_free(port)
    ]


def require_free(ports: Ports, names: Iterable[str] | None = None) -> None:
    """Raise PortTaken, naming each taken port and the variable that moves it."""
    if lines := taken(ports, names):
        raise PortTaken("; ".join(lines))


def _by(port: int) -> str:
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
                return f" by {psutil.Process(one.pid).name()} (pid {one.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
