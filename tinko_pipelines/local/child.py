"""Become the program of one child of the stack: `child.py --parent PID [options] -- argv…`.

Runs as a file with `python -I -S`, so it may import nothing but the standard library. It drops
root where asked, ties the process's life to its parent's, and then execs: the program keeps this
process id. The order matters: the kernel clears the parent-death signal when credentials change.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def drop_to(uid: int, gid: int, reach: bool) -> None:
    """Become uid:gid for good. Needs to be root.

    With `reach` one capability stays: to walk through folders that only root may enter (a clone
    under /root, pytest's own temporary folder), where the program and its data may well lie.
    """
    libc = _libc()
    if reach:
        _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if reach:
        _keep_reach(libc)


def _keep_reach(libc: ctypes.CDLL) -> None:
    header, data = _Header(_CAPABILITY_VERSION_3, 0), (_Data * 2)()
    _check(libc.capget(ctypes.byref(header), data), "capget")
    held = data[0].permitted
    # containers commonly hold DAC_OVERRIDE without the narrower DAC_READ_SEARCH
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        bit = 1 << capability
        if held & bit:
            data[0] = _Data(bit, bit, bit)
            data[1] = _Data(0, 0, 0)
            _check(libc.capset(ctypes.byref(header), data), "capset")
            _check(
                libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0),
                "prctl(PR_CAP_AMBIENT)",
            )
            return


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send `death_signal` when the parent dies; leave at once if it has."""
    if sys.platform == "linux":
        _check(_libc().prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(0)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--reach", action="store_true")
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args(arguments)
    if options.uid is not None:
        drop_to(options.uid, options.gid, options.reach)
    die_with_parent(options.parent, options.death_signal)
    try:
        os.execvp(options.argv[0], options.argv)
    except OSError as error:
        sys.exit(f"cannot run {options.argv[0]}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
