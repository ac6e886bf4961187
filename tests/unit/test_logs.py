"""I9: no key, password or full phone number in a log, whoever wrote the line."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechai.logs import JsonFormatter, TextFormatter, redact

SECRETS = [
    ("calling +56912345678 now", "+56912345678"),
    ("mongodb://speechai:hunter2@127.0.0.1/x", "hunter2"),
    ("redis://:pa55word@127.0.0.1:6379/0", "pa55word"),
    ("Authorization: Bearer key_abcdef123456", "abcdef123456"),
    ("api_key=sk_live_123456", "sk_live_123456"),
    ('{"api_key": "sk_live_123456"}', "sk_live_123456"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_line_holds_it(text, secret, formatter):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("a line: %s", text, extra={"detail": text})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed")
    assert secret not in stream.getvalue()
    assert "a line" in stream.getvalue()


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_every_phone_number_is_struck_out_but_its_last_three_digits(number):
    text = redact(f"dialing {number}.")
    assert number not in text
    assert text == f"dialing +…{number[-3:]}."


def test_ids_are_kept():
    text = "job-20261123-150000-ab12cd-000001 att-0123456789abcdef0123456789abcdef 2026-11-23"
    assert redact(text) == text


def test_json_lines_are_json():
    record = logging.makeLogRecord({"msg": "hola", "levelname": "INFO", "job_id": "job-1", "exc_info": None})
    entry = json.loads(JsonFormatter().format(record))
    assert entry["message"] == "hola" and entry["job_id"] == "job-1"
    assert entry["at"].endswith("+00:00")


def test_an_exception_is_in_the_line():
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        record = logging.makeLogRecord({"msg": "x", "exc_info": sys.exc_info()})
    assert "boom" in TextFormatter().format(record)
