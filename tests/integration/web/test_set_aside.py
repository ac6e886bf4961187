"""What raises in the sweep is set aside, and whoever runs the place is told: health, metrics, the panel."""

from __future__ import annotations

import pytest

from speechai.operation.parts import Part, do
from tests.integration.operation.conftest import add_batch
from web.health import make_checks

MARKUP = "<b>joined</b>"


def fail(services, name, items):
    def heal(_, item):
        raise ValueError(item)

    do(services, Part(name, lambda *_: items, heal, str))


@pytest.fixture
def broken(services):
    fail(services, "dials", ["att-1", "att-2", "att-3", "att-4"])
    fail(services, "joins", [MARKUP])
    return services


def test_health_is_degraded_with_the_number_and_the_parts_and_nobodys_name(broken):
    part = make_checks(broken)["sweep"]()
    assert (part["status"], part["set_aside"]) == ("degraded", 5)
    assert part["parts"] == {"dials": 4, "joins": 1}
    assert "att-1" not in str(part)


def test_nothing_set_aside_is_well(services):
    assert make_checks(services)["sweep"]() == {"status": "ok"}


def test_more_than_are_named_are_counted(services):
    fail(services, "dials", [f"att-{number:03d}" for number in range(130)])
    part = make_checks(services)["sweep"]()
    assert (part["set_aside"], part["parts"]) == (130, {"dials": 100})


def test_health_tells_a_refused_account_from_a_provider_that_does_not_answer(services):
    services.store.breakers.refused("default", services.clock.now(), "402")
    dialing = make_checks(services)["dialing"]()
    assert (dialing["status"], dialing["detail"]) == ("degraded", "the provider refuses the account")
    assert dialing["accounts"]["default"]["detail"] == "the provider refuses the account"


@pytest.mark.parametrize(
    ("language", "sentence"), [("es", "Retell rechaza la cuenta"), ("en", "Retell has refused the account")]
)
def test_a_batch_tells_it_too(panel, services, language, sentence):
    add_batch(services)
    services.store.breakers.refused("default", services.clock.now(), "402")
    assert sentence in panel.get("/batches/batch-1", headers={"Accept-Language": language}).text


def test_metrics_count_them(api, broken):
    assert "speechai_set_aside 5.0" in api.get("/metrics").text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("es", "Quedan apartados porque fallan: 5."), ("en", "Set aside because they raise: 5.")],
)
def test_every_page_names_how_many_and_which(panel, broken, language, sentence):
    for path in ("/", "/accounts", "/upload"):
        page = panel.get(path, headers={"Accept-Language": language}).text
        assert sentence in page and "set aside" in page
        assert "dials (4): att-1, att-2, att-3 …" in page
        assert MARKUP not in page and "joins (1): &lt;b&gt;joined" in page


def test_a_part_that_fails_as_a_whole_is_named_by_itself(panel, services):
    fail(services, "dispatched", [""])
    assert "dispatched (1): all of it" in panel.get("/", headers={"Accept-Language": "en"}).text


def test_the_page_says_nothing_while_nothing_raises(panel, app):
    assert "set aside" not in panel.get("/").text


def test_nobody_is_told_before_the_login(app, broken):
    assert "att-1" not in app.test_client().get("/login").text
