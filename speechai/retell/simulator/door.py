"""gunicorn's worker with a door that can be shut: who connects then is refused, as by a host that is away."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

BACKLOG = 2048


def free_port(host: str) -> int:
    """A port that is free now: a listener loses over a shut door what the system chose for it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as asking:
        asking.bind((host, 0))
        return int(asking.getsockname()[1])


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Lets its world shut the door for a while."""

    wsgi: Any  # the app that answers

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_shut = False
        self._door = threading.Lock()

    def load_wsgi(self) -> None:
        """Load the app, whose world may shut the door from then on."""
        super().load_wsgi()
        self.app.world.shut = self.shut
        self._app, self.wsgi = self.wsgi, self._answer

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        """What the app answers; with the door shut, it is the connection's last answer."""
        body = self._app(environ, start_response)
        if self._is_shut:
            start_response.__self__.force_close()
        return body

    def shut(self, seconds: float) -> None:
        """Refuse every connection for so long; requests that are being answered are answered."""
        with self._door:
            if self._is_shut:
                return
            self._is_shut = True
        for listener in self.sockets:
            listener.shutdown(socket.SHUT_RD)
        self.method_queue.defer(lambda: self.murder_keepalived(force=True))
        timer = threading.Timer(seconds, self._open)
        timer.daemon = True
        timer.start()

    def _open(self) -> None:
        for listener in self.sockets:
            listener.listen(BACKLOG)
        self._is_shut = False

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called in every round: while the door is shut there is nothing to accept from."""
        super().set_accept_enabled(enabled and not self._is_shut)

    def accept(self, listener: Any) -> None:
        """Take a connection; a listener that was just shut has none."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.set_accept_enabled(False)
