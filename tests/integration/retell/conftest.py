"""A simulator of its own process, who uses it, and who gets its webhooks."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import retell

from speechai.retell.client import CallRequest, RetellClient
from speechai.retell.simulator.process import SimulatorServer

KEY = "key_simulated"
FROM, TO = "+56600123456", "+56911111111"
TOLD = {"nombre": "Ana", "empresa": "Casa Ejemplo", "monto_total": "104050", "fecha_limite": "2026-12-24"}


class Receiver:
    """Takes webhooks; each can be awaited."""

    def __init__(self):
        received = self.received = queue.Queue()
        self.answers = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805 - the library names it; `self` is the receiver
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                received.put((handler.headers.get("x-retell-signature"), body))
                handler.send_response(self.answers.pop(0) if self.answers else 204)
                handler.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, event=None):
        while True:
            signature, body = self.received.get(timeout=20)
            content = json.loads(body)
            if event in (None, content["event"]):
                return signature, body, content

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def clear(self):
        self.answers.clear()
        while not self.received.empty():
            self.received.get_nowait()


@pytest.fixture(scope="module")
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(receiver):
    with SimulatorServer(["--speed", "200", "--webhook", receiver.url, "--seed", "1"], api_key=KEY) as made:
        yield made


@pytest.fixture
def simulator(server, receiver):
    """The simulator as new: no calls, no scripts, no faults."""
    yield server
    faults = requests.get(f"{server.url}/_simulator/faults", timeout=5).json()
    server.control("faults", dict.fromkeys(faults, 0))
    server.control("script", {})
    server.control(
        "limits",
        {
            "concurrency": 20,
            "calls_per_second": 0,
            "concurrency_refusal": "429",
            "out_of_credit": False,
            "error_shape": "message",
        },
    )
    requests.post(f"{server.url}/_simulator/reset", timeout=5).raise_for_status()
    receiver.clear()


@pytest.fixture
def sdk(simulator):
    return retell.Retell(api_key=KEY, base_url=simulator.url, max_retries=0)


@pytest.fixture
def client(simulator):
    made = RetellClient(KEY, simulator.url, create_timeout=(2, 2), sleep=lambda seconds: None)
    yield made
    made.close()


def a_request(attempt="att-1", to=TO):
    return CallRequest(FROM, to, attempt, "job-1", "batch-1", "agent_1", TOLD)
