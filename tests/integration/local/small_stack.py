"""`python -m tests.integration.local.small_stack DATA PORT PORT [--broken]`: a stack of stand-ins.

The real supervisor over two small servers: `web` answers HTTP; `family` answers too and has a
child of its own that takes no notice of SIGTERM.
"""

import argparse
import sys
from pathlib import Path

from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.local import probes, secrets, supervisor
from tinko_pipelines.local.layout import Layout
from tinko_pipelines.local.parts import Part
from tinko_pipelines.local.ports import Ports
from tinko_pipelines.local.stack import Stack

WEB = """
import http.server, sys
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)\
.serve_forever()
"""
FAMILY = """
import subprocess, sys
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
print("grandchild", child.pid, flush=True)
"""
BROKEN = "import sys; sys.exit('this part is broken on purpose')"


def python(text, *arguments):
    return [sys.executable, "-c", text, *arguments]


def parts(broken):
    made = [
        Part(
            name="web",
            wave=1,
            ports=("api",),
            command=lambda stack: python(WEB, str(stack.ports.api)),
            probe=lambda stack: probes.http(stack.ports.api, "/"),
        ),
        Part(
            name="family",
            wave=2,
            ports=("mail",),
            command=lambda stack: python(FAMILY + WEB, str(stack.ports.mail)),
            probe=lambda stack: probes.http(stack.ports.mail, "/"),
            stop_seconds=2.0,
        ),
    ]
    if broken:
        made.append(
            Part(
                name="broken",
                wave=3,
                command=lambda stack: python(BROKEN),
                probe=lambda stack: lambda: "never ready",
            )
        )
    return made


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("ports", type=int, nargs=2)
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--back-off", type=float, nargs="+", default=[0.1, 0.1])
    options = parser.parse_args()
    supervisor._BACK_OFF = tuple(options.back_off)
    layout = Layout(options.data)
    layout.create()
    stack = Stack(layout, Ports(api=options.ports[0], mail=options.ports[1]), secrets.fresh())
    running = supervisor.Supervisor(stack, parts(options.broken), say)
    try:
        with running.running():
            say("READY")
            running.watch()
    except TinkoError as error:
        sys.exit(error.detail)
    say("STOPPED")


if __name__ == "__main__":
    main()
