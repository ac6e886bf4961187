"""The cookie key's file, the login's throttle, and where a login may lead."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from speechai.settings import Settings, SettingsError
from web.auth import make_throttle
from web.panel.blueprint import safe_target
from web.panel.jobs import captured, product_costs, spoken
from web.secret import secret_key


def settings(home: Path, key: str | None = None) -> Settings:
    secret = SecretStr(key) if key else None
    return Settings(_env_file=None, speechai_home=home, speechai_secret_key=secret)


def test_the_given_key_is_the_key(tmp_path: Path) -> None:
    assert secret_key(settings(tmp_path, "given")) == "given"
    assert not list(tmp_path.iterdir())


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(settings(home)), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) > 40
    assert [file.name for file in home.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600


def test_where_no_key_can_be_kept_the_variable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="SPEECHAI_SECRET_KEY"):
        secret_key(settings(tmp_path / "file"))


def test_the_throttle_counts_a_user_from_an_address_and_the_address() -> None:
    throttle = make_throttle()
    assert [throttle.allows("1.1.1.1", "ana") for _ in range(6)] == [True] * 5 + [False]
    assert not throttle.allows("1.1.1.1", "ANA")
    assert throttle.allows("2.2.2.2", "ana"), "the user is not locked out elsewhere"
    throttle.forget("1.1.1.1", "ana")
    assert throttle.allows("1.1.1.1", "ana")
    tries = [throttle.allows("3.3.3.3", f"user{number}") for number in range(51)]
    assert tries == [True] * 50 + [False]


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/batches/b?status=done", "/batches/b?status=done"),
        ("", "/"),
        (None, "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_a_login_leads_only_to_paths_of_ours(target: str | None, goes_to: str) -> None:
    assert safe_target(target, "/") == goes_to


def test_a_conversation_is_read_in_either_form() -> None:
    by_words = {
        "transcript_object": [
            {"role": "agent", "content": "Hola", "words": [{"word": "Hola", "start": 1.5}]},
            {"role": "user", "content": "Sí", "words": []},
            {"role": "user", "content": ""},
            "noise",
        ],
        "transcript": "Agent: other\n",
    }
    assert spoken(by_words) == [
        {"who": "agent", "what": "Hola", "at": 1.5},
        {"who": "user", "what": "Sí", "at": None},
    ]
    by_lines = {"transcript": "Agent: Hola\nUser: Sí,\nclaro\n\n"}
    assert spoken(by_lines) == [
        {"who": "agent", "what": "Hola", "at": None},
        {"who": "user", "what": "Sí, claro", "at": None},
    ]
    assert spoken({"transcript": None, "transcript_object": None}) == []


def test_costs_and_captured_values_tolerate_what_the_provider_leaves_out() -> None:
    assert product_costs({}) == []
    cost = {"product_costs": [{"product": "tts", "cost": 4}, {"product": "x"}, None]}
    assert product_costs({"call_cost": cost}) == [("tts", 4.0)]
    call = {
        "collected_dynamic_variables": {"a": "1", "b": ""},
        "call_analysis": {"custom_analysis_data": {"a": 2, "c": None}},
    }
    assert captured(call) == {"a": "2"}
    assert captured({"call_analysis": "none"}) == {}
