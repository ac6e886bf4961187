"""An upload's options: defaults, every form of each, every bad one named."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from speechai.catalog.policies import Consent
from speechai.catalog.use_cases import Country, UseCaseId
from speechai.operation.campaigns.uploads import UploadOptions
from web.upload_options import BadOptionsError, read_options


def read(**given: Any) -> UploadOptions:
    return read_options(given, created_by="api:test", language="en")


def test_nothing_given_is_the_contracts_defaults() -> None:
    assert read() == UploadOptions(created_by="api:test", language="en")
    assert read(name="", use_case="", wave_times=" ", daily_contacts="", mapping="", again="") == read()


def test_everything_given() -> None:
    options = read(
        account_id="a",
        name=" Noviembre  1 ",
        use_case="marketing",
        country="AR",
        policy="anytime",
        start="draft",
        wave_times="15:00,9:00",
        daily_contacts="30",
        duplicates="skip",
        again="1",
        mapping='{"Cel": "phone"}',
        dry_run="true",
        company="Casa",
        dias_fecha_limite="0",
        dias_fecha_maxima="7",
        agent_id="agent_1",
        consent="written",
    )
    assert options == UploadOptions(
        account_id="a",
        name="Noviembre 1",
        use_case=UseCaseId.MARKETING,
        country=Country.AR,
        policy="anytime",
        start="draft",
        wave_times=(time(9), time(15)),
        daily_contacts=30,
        duplicates="skip",
        again=True,
        mapping={"Cel": "phone"},
        dry_run=True,
        company="Casa",
        deadline_days=0,
        final_deadline_days=7,
        agent_id="agent_1",
        consent=Consent.WRITTEN,
        created_by="api:test",
        language="en",
    )


def test_json_types_are_taken_too() -> None:
    options = read(again=True, daily_contacts=30, wave_times=["09:00"], mapping={"Cel": "phone"})
    assert (options.again, options.daily_contacts, options.wave_times) == (True, 30, (time(9),))
    assert options.mapping == {"Cel": "phone"}


BAD = {
    "name": ["x" * 201, ["a"]],
    "use_case": ["fraud", "DEBT_COLLECTION"],
    "country": ["PE", "cl"],
    "start": ["tomorrow"],
    "wave_times": ["25:00", "nine", ",", ["9"]],
    "daily_contacts": ["0", "-1", "1.5", "x", "٣", "9" * 30, True, 100_001],
    "duplicates": ["drop"],
    "again": ["maybe", 2],
    "dry_run": ["2"],
    "mapping": ["{", "[]", '"phone"', '{"a": 1}', ["a"], 7],
    "dias_fecha_limite": ["-1", "366"],
    "dias_fecha_maxima": ["soon"],
    "agent_id": ["x" * 201],
    "policy": [{"id": "house"}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_option_is_named(name: str, value: Any) -> None:
    with pytest.raises(BadOptionsError) as caught:
        read(**{name: value})
    assert list(caught.value.errors) == [name]


def test_all_bad_options_are_named_at_once() -> None:
    with pytest.raises(BadOptionsError) as caught:
        read(country="PE", start="later", daily_contacts="none")
    assert set(caught.value.errors) == {"country", "start", "daily_contacts"}
