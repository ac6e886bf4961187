"""A tiny real part for the stack's tests: an HTTP server on a port, or a program that only waits.

`slow` is how many seconds it takes to stop, as a worker does that finishes a task. `PART_SAYS` in the
environment is what it answers.
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
import time
from types import FrameType


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("PART_SAYS", "ok").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(name: str, port: str = "", slow: str = "0") -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        say(f"{name} asked to stop")
        time.sleep(float(slow))
        say(f"{name} finished")
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, lambda *_: say(f"{name} interrupted"))
    say(f"{name} started")
    if port:
        http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()
    while True:
        signal.pause()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--port" in arguments:  # as the simulator is told
        arguments = [arguments[0], arguments[arguments.index("--port") + 1]]
    main(*arguments)
