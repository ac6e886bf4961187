"""Run a command that is told to stop when its parent dies, however the parent dies.

Run as a file by an isolated interpreter (`python -I -S tether.py command …`), so that it costs little and
cannot import anything of ours. Between `fork` and `exec` of a
process with threads it would not be safe to do this.
"""

import ctypes
import os
import signal
import sys

PARENT = "SPEECHAI_PARENT"  # process id of who started us: if another adopted us, it died before we could ask
PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> None:
    """Become the command. It inherits the request: SIGTERM at the parent's death."""
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.environ[PARENT] != str(os.getppid()):
            raise SystemExit(f"{command[0]}: the process that started this one is gone")
    os.environ[PARENT] = str(os.getpid())  # `exec` keeps it: we are the parent of what the command starts
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(sys.argv[1:])
