"""The environment: typed, and with errors that name the variable."""

from datetime import time

import pytest

from speechai.settings import SettingsError, load, parse_wave_times


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("MONGO_URI", "REDIS_URL", "SPEECHAI_HOME", "MAX_ATTEMPTS", "RETELL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_defaults_are_the_customers(empty_environment):
    settings = load()
    assert settings.wave_times == (time(9), time(12), time(15))
    assert (settings.daily_contacts, settings.max_calls_per_day, settings.max_days_without_answer) == (
        60,
        3,
        3,
    )
    assert (settings.max_concurrent_calls, settings.calls_per_second, settings.lease_seconds) == (20, 1, 120)
    assert settings.tz_name == "America/Santiago"
    assert settings.max_attempts is None
    assert not settings.provider_is_local


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TZ_NAME", "Chile/Nowhere", "TZ_NAME: 'Chile/Nowhere' is not a time zone"),
        ("WAVE_TIMES", "9:00,25:00", "WAVE_TIMES: '25:00' is not a time of day"),
        ("WAVE_TIMES", ",", "WAVE_TIMES: needs at least one time"),
        ("LEASE_SECONDS", "9", "LEASE_SECONDS: Input should be greater than or equal to 10"),
        ("CALL_POLLING_INTERVAL", "0", "CALL_POLLING_INTERVAL: Input should be greater than or equal to 0.1"),
        ("PORT", "http", "PORT: Input should be a valid integer"),
        ("RETELL_BASE_URL", "api.retellai.com", "RETELL_BASE_URL: must be an address"),
        ("RETELL_FROM_NUMBER", "221234567", "RETELL_FROM_NUMBER: must be a number in E.164 form"),
        ("FLOWER_BASIC_AUTH", "admin", "FLOWER_BASIC_AUTH: must be user:password"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT: Input should be 'text' or 'json'"),
        ("RETRY_DELAY_MINUTES", "-1", "RETRY_DELAY_MINUTES: Input should be greater than or equal to 0"),
    ],
)
def test_a_bad_value_stops_with_the_name_and_what_is_wrong(empty_environment, name, value, said):
    empty_environment.setenv(name, value)
    with pytest.raises(SettingsError, match=".*") as error:
        load()
    assert said in str(error.value)


def test_every_bad_variable_is_named_at_once(empty_environment):
    empty_environment.setenv("PORT", "x")
    empty_environment.setenv("TZ_NAME", "x")
    with pytest.raises(SettingsError) as error:
        load()
    assert "PORT:" in str(error.value) and "TZ_NAME:" in str(error.value)


def test_the_process_beats_dotenv_which_beats_the_stack(empty_environment, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "stack.env").write_text(
        "MONGO_URI=mongodb://stack\nREDIS_URL=redis://stack\nPORT=1\n"
    )
    (tmp_path / ".env").write_text("MONGO_URI=mongodb://dotenv\nPORT=2\n")
    empty_environment.setenv("PORT", "3")
    settings = load()
    assert settings.port == 3
    assert settings.mongo_uri.get_secret_value() == "mongodb://dotenv"
    assert settings.redis_url.get_secret_value() == "redis://stack"


def test_the_old_name_of_max_attempts_is_accepted(empty_environment):
    empty_environment.setenv("MAX_TRIES", "4")
    assert load().max_attempts == 4


def test_an_empty_value_is_no_value(empty_environment):
    empty_environment.setenv("PORT", "")
    assert load().port == 8000


def test_zero_delays_are_allowed(empty_environment):
    empty_environment.setenv("RETRY_DELAY_MINUTES", "0")
    empty_environment.setenv("NO_ANSWER_RETRY_MINUTES", "0")
    assert load().retry_delay_minutes == load().no_answer_retry_minutes == 0


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8100", True),
        ("http://localhost:1", True),
        ("http://[::1]:8100", True),
        ("http://127.example.com", False),
        ("https://api.retellai.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_which_providers_are_on_this_machine(empty_environment, url, local):
    empty_environment.setenv("RETELL_BASE_URL", url)
    settings = load()
    assert settings.provider_is_local is local


def test_the_providers_name_hides_its_key(empty_environment):
    empty_environment.setenv("RETELL_API_KEY", "key_very_secret")
    settings = load()
    assert "very_secret" not in settings.provider_key
    assert "very_secret" not in repr(settings)


def test_a_rotated_key_is_the_same_provider(empty_environment):
    before = load().provider_key
    for key in ("key_old", "key_new"):
        empty_environment.setenv("RETELL_API_KEY", key)
        assert load().provider_key == before == "real https://api.retellai.com"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://API.retellai.com:443/", "real https://api.retellai.com"),
        ("https://proxy.example/retell", "real https://proxy.example/retell"),
        ("http://user:very_secret@proxy.example", "real http://proxy.example"),
        ("http://127.0.0.1:9000", "simulator http://127.0.0.1:9000"),
        ("http://localhost", "simulator http://localhost"),
        ("http://[::1]:8123", "simulator http://[::1]:8123"),
    ],
)
def test_a_provider_is_its_kind_and_its_address(empty_environment, url, key):
    empty_environment.setenv("RETELL_BASE_URL", url)
    assert load().provider_key == key


def test_wave_times_are_sorted_and_without_repeats():
    assert parse_wave_times("15:00, 9:00,09:00") == (time(9), time(15))
