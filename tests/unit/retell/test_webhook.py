"""The signature, against the documented vector and the official SDK."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retell.lib import webhook_auth

from speechai.retell.webhook import SignatureError, sign, verify

BODY = b'{"event":"call_ended","call":{"call_id":"call_x"}}'
VECTOR = "v=1700000000000,d=a43635c17651cb6522c9bcf4ab9b00a679a589c823a738cc6770286cd9f1290b"
AT = datetime.fromtimestamp(1700000000, UTC)


def test_the_documented_vector():
    assert sign(BODY, "key_test", 1700000000000) == VECTOR
    verify(BODY, "key_test", VECTOR, AT)


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9)),
    st.text("abc_1", min_size=1),
    st.integers(0, 10**12),
)
def test_the_sdk_verifies_what_we_sign_and_the_other_way_round(content, key, timestamp):
    body = json.dumps(content)
    ours = sign(body.encode(), key, timestamp)
    assert webhook_auth.symmetric["verify"](body, key, ours, {"timestamp": timestamp})
    theirs = webhook_auth.symmetric["sign"](body, key, timestamp)
    verify(body.encode(), key, theirs, datetime.fromtimestamp(timestamp / 1000, UTC))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "missing"),
        ("", "missing"),
        ("d=abc", "malformed"),
        (VECTOR.upper(), "malformed"),
        (VECTOR + " ", "malformed"),
        ("x" + VECTOR, "malformed"),
        (VECTOR[:-1], "malformed"),
        (VECTOR[:-1] + "c", "wrong"),
        (VECTOR.replace("v=17", "v=18"), "wrong"),
        ("v=" + "9" * 40 + ",d=" + "a" * 64, "malformed"),
    ],
)
def test_a_header_that_is_not_right(header, said):
    with pytest.raises(SignatureError, match=said):
        verify(BODY, "key_test", header, AT)


def test_another_body_or_key():
    with pytest.raises(SignatureError, match="wrong"):
        verify(BODY + b" ", "key_test", VECTOR, AT)
    with pytest.raises(SignatureError, match="wrong"):
        verify(BODY, "key_other", VECTOR, AT)


@pytest.mark.parametrize(("minutes", "fresh"), [(-5, True), (5, True), (-5.1, False), (5.1, False)])
def test_five_minutes_either_way(minutes, fresh):
    now = AT + timedelta(minutes=minutes)
    if fresh:
        verify(BODY, "key_test", VECTOR, now)
    else:
        with pytest.raises(SignatureError, match="stale"):
            verify(BODY, "key_test", VECTOR, now)


@given(st.text(max_size=90))
def test_no_header_makes_it_do_anything_but_refuse(header):
    with pytest.raises(SignatureError):
        verify(BODY, "key_test", header, AT)
