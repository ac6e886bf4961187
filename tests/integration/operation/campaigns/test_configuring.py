"""What operators change: batches while they run, retry tables, own policies, the law, who is called first."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from speechai.catalog.policies import Consent
from speechai.catalog.use_cases import UseCaseId
from speechai.core.outcomes import Outcome
from speechai.core.retry_table import RETRIES, Number, RetryTableError, changed
from speechai.operation.calling import dispatching
from speechai.operation.calling.dialing import dial
from speechai.operation.campaigns import accounts, batches, configuring, eligibility, jobs
from speechai.operation.campaigns.configuring import BatchEdit, NotEditableError, RefusedOptionError
from speechai.operation.records import do_not_call
from tests.builders import MONDAY_NOON
from tests.integration.operation.conftest import add_batch, job_id, job_of, phone

TUESDAY = MONDAY_NOON + timedelta(days=1)


def edit(services, **wished):
    configuring.edit(services, "batch-1", BatchEdit(**wished), "ana", "en")


# -- edits ------------------------------------------------------------------------------------------


def test_an_edit_binds_the_next_call(services, worker, provider):
    add_batch(services, 2, phones=[["+56911111111"], ["+56922222222"]])
    services.store.jobs.call_back(job_id(number=2), MONDAY_NOON + timedelta(hours=8), "ana", MONDAY_NOON)
    worker.tick()
    assert len(provider.rings) == 1
    edit(services, policy="house", agent_id="agent_new")
    services.clock.set(MONDAY_NOON + timedelta(hours=8))  # 20:00: `anytime` would have called
    worker.tick()
    assert len(provider.rings) == 1
    services.clock.set(TUESDAY)
    worker.tick()
    assert {request.agent_id for request in provider.requests[1:]} == {"agent_new"}
    edits = services.store.batches.document("batch-1")["edits"]
    assert [(entry["by"], entry["changes"]["policy"]) for entry in edits] == [("ana", "house")]
    assert edits[0]["changes"]["legal_warnings"]


def test_weekdays_narrow_the_policy(services, worker, provider):
    add_batch(services, start="next_wave", policy="house", weekdays=[2])
    for day in (MONDAY_NOON, TUESDAY):
        services.clock.set(day)
        worker.tick()
        assert bool(provider.rings) is (day == TUESDAY)
    waves = list(services.store.db["waves"].find({"slot": "12:00"}).sort("_id", 1))
    assert [(wave["day"], wave["status"]) for wave in waves] == [
        ("2026-11-23", "skipped"),
        ("2026-11-24", "run"),
    ]
    assert waves[0]["rule"] == "window"


def test_new_wave_times_hold_from_the_next_wave(services, worker, provider):
    add_batch(services, start="next_wave", policy="house")
    edit(services, wave_times=(time(12, 30),), daily_contacts=5, priority=4, name="Otra")
    worker.tick()
    assert not provider.rings
    services.clock.set(MONDAY_NOON + timedelta(minutes=30))
    worker.tick()
    assert len(provider.rings) == 1


def test_marketing_waits_for_consent_until_the_operator_states_it(services, worker, provider):
    do_not_call.consult(services, "robinson", [], "ana")
    add_batch(services, policy="es-commercial", use_case=UseCaseId.MARKETING.value, flow="marketing")
    worker.run()
    assert provider.rings == []
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("suspended", "consent")
    edit(services, consent=Consent.WRITTEN)
    assert services.store.batches.document("batch-1")["edits"][0]["changes"]["consent"] == "written"
    services.clock.advance(timedelta(minutes=6))
    services.store.jobs.resume_suspended(services.clock.now())
    dial(services, job_id())
    assert len(provider.rings) == 1


@pytest.mark.parametrize(
    ("wished", "field"),
    [
        ({"policy": "nothing"}, "policy"),
        ({"policy": "house", "weekdays": frozenset({7})}, "weekdays"),
        ({"flow": "nothing"}, "flow"),
        ({"flow": "marketing"}, "flow"),
        ({"retries": {"opted_out": {"again": True}}}, "retries"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(services, wished, field):
    add_batch(services)
    before = services.store.batches.document("batch-1")
    with pytest.raises(RefusedOptionError) as refused:
        edit(services, **wished)
    assert refused.value.field == field
    assert services.store.batches.document("batch-1") == before


def test_a_batch_that_is_over_is_not_edited(services):
    add_batch(services)
    batches.cancel(services, "batch-1")
    with pytest.raises(NotEditableError):
        edit(services, name="Otra")


# -- the retry table --------------------------------------------------------------------------------


def test_a_batch_has_its_own_lines_of_the_retry_table(services, worker, provider):
    add_batch(
        services,
        phones=[["+56911111111", "+56922222222"]],
        retries={"no_answer": {"wait_minutes": 5, "number": "same"}},
    )
    worker.tick()
    due = job_of(services)["next_attempt_at"]
    assert timedelta(minutes=4) < due - services.clock.now() <= timedelta(minutes=5)
    services.clock.set(due)
    worker.tick()
    assert [ring["to_number"] for ring in provider.rings] == ["+56911111111"] * 2


def test_a_line_may_say_never_again(services, worker, provider):
    provider.default = "voicemail"
    add_batch(services, retries={"voicemail": {"again": False}})
    worker.tick()
    assert (job_of(services)["status"], job_of(services)["reason"]) == ("failed", "no_answer")


def test_who_promised_may_be_called_again_to_be_reminded(services, worker, provider):
    provider.script[phone(1)] = ["promise", "promise"]
    add_batch(services, retries={"goal_met": {"again": True, "wait_minutes": 1440}})
    worker.tick()
    job = job_of(services)
    assert (job["status"], job["promise"]["status"]) == ("pending", "promised")
    services.clock.set(TUESDAY + timedelta(minutes=1))
    worker.tick()
    assert len(provider.rings) == 2


def test_the_accounts_lines_hold_unless_the_batch_says_otherwise(services, worker, provider):
    accounts.change(
        services,
        "default",
        {"retries": {"no_answer": {"wait_minutes": 10}, "busy": {"again": False}}},
        "ana",
        "en",
    )
    add_batch(services, retries={"no_answer": {"wait_minutes": 20}})
    standing = services.store.standing.of("batch-1")
    book = services.rulebook(standing)
    assert book.retries[Outcome.NO_ANSWER].minutes == timedelta(minutes=20)
    assert not book.retries[Outcome.BUSY].again
    assert book.retries[Outcome.VOICEMAIL] is RETRIES[Outcome.VOICEMAIL]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"opted_out": {"again": True}}, "not a line"),
        ({"needs_review": {"again": True}}, "not a line"),
        ({"whatever": {"again": True}}, "not a line"),
        ({"busy": {}}, "an object with some of"),
        ({"busy": {"colour": 1}}, "an object with some of"),
        ({"busy": {"again": "yes"}}, "busy.again: true or false"),
        ({"busy": {"wait_minutes": -1}}, "busy.wait_minutes"),
        ({"busy": {"wait_minutes": True}}, "busy.wait_minutes"),
        ({"busy": {"number": "other"}}, "busy.number: one of same"),
    ],
)
def test_a_wrong_line_names_the_place(change, said):
    with pytest.raises(RetryTableError, match=said):
        changed(RETRIES, change)
    assert changed(RETRIES, {"busy": {"number": "same"}})[Outcome.BUSY].number is Number.SAME


# -- own policies and the law -----------------------------------------------------------------------


def test_an_accounts_own_policy_is_a_preset_with_other_fields(services, worker, provider):
    window = {"days": [1, 2, 3, 4, 5, 6, 7], "start": "11:00", "end": "12:00"}
    mine = {"extends": "house", "windows": [window], "holidays": "none"}
    accounts.change(services, "default", {"policies": {"late-morning": mine}}, "ana", "en")
    add_batch(services, policy="late-morning")
    worker.tick()  # noon: half-open, so closed
    assert not provider.rings
    assert job_of(services)["next_attempt_at"] == TUESDAY - timedelta(hours=1)
    services.clock.set(TUESDAY - timedelta(hours=1))
    worker.tick()
    assert len(provider.rings) == 1
    rules = eligibility.of_job(services, job_id())["rules"]
    assert next(rule["detail"] for rule in rules if rule["rule"] == "policy") == "policy late-morning"


def test_enforcing_the_law_makes_the_strictest_of_both_hold(services, worker, provider):
    """Chile allows one contact a week; the house would call three times a day."""
    accounts.change(services, "default", {"legal": "enforce"}, "ana", "en")
    provider.default = "no_agreement"
    add_batch(services, policy="house")
    for day in range(9):
        services.clock.set(MONDAY_NOON + timedelta(days=day))
        worker.tick()
        services.clock.advance(timedelta(hours=3))
        worker.tick()
    assert len(provider.rings) == 2
    first, second = (attempt["reserved_at"] for attempt in jobs.view(services, job_id())["attempts"])
    assert second - first >= timedelta(days=7)
    assert jobs.view(services, job_id())["attempts"][0]["verdict"]["policy"] == "house+cl-collections"


def test_a_flow_in_use_cannot_be_taken_away(services, worker, provider):
    bucket = {"id": "all", "label_es": "x", "label_en": "x", "opening": "Hola.", "agent_id": "agent_mine"}
    mine = {"extends": "collections", "buckets": [bucket], "variables": ["nombre", "apertura"]}
    accounts.change(services, "default", {"flows": {"mine": mine}}, "ana", "en")
    add_batch(services, flow="mine")
    worker.run()
    sent = provider.requests[0]
    assert (sent.agent_id, sent.dynamic_variables) == (
        "agent_mine",
        {"nombre": "Persona 1", "apertura": "Hola."},
    )
    with pytest.raises(RefusedOptionError) as refused:
        accounts.change(services, "default", {"flows": {}}, "ana", "en")
    assert refused.value.field == "flow"


def test_a_policy_in_use_cannot_be_made_impossible(services):
    mine = {"extends": "house"}
    accounts.change(services, "default", {"policies": {"mine": mine}}, "ana", "en")
    add_batch(services, policy="mine", weekdays=[5])
    only_monday = {**mine, "windows": [{"days": [1], "start": "09:00", "end": "10:00"}]}
    with pytest.raises(RefusedOptionError):
        accounts.change(services, "default", {"policies": {"mine": only_monday}}, "ana", "en")
    with pytest.raises(RefusedOptionError):
        accounts.change(services, "default", {"policies": {}}, "ana", "en")


# -- who is first -----------------------------------------------------------------------------------


def order(services, provider):
    """The batches in the order in which their people were rung."""
    return [ring["metadata"]["batch_id"] for ring in provider.rings]


def test_accounts_take_turns_however_many_batches_each_has(make, provider):
    services = make(max_concurrent_calls=4, calls_per_second=100)
    accounts.make(services, "acme", {"name": "Acme"}, "test", "en")
    for number in range(3):
        add_batch(services, 10, batch_id=f"batch-{number}", person_ids=people(number), phones=phones(number))
    add_batch(services, 10, batch_id="batch-acme", person_ids=people(9), phones=phones(9), start=None)
    move_to(services, "batch-acme", "acme")
    batches.start(services, "batch-acme", "now")
    services.nudges.inbox.clear()
    services.store.db["call_jobs"].update_many({}, {"$set": {"released_until": None}})
    provider.default = "never_ends"
    dispatching.dispatch(services)
    services.nudges.run(before="poll_call")
    handed = [args[0] for name, args, _ in services.nudges.inbox if name == "call_contact"]
    rung = order(services, provider) + [name.replace("job", "batch", 1)[:-7] for name in handed]
    assert rung.count("batch-acme") == 2
    assert len(rung) == 4


def test_within_an_account_the_higher_priority_comes_first(make, provider):
    services = make(max_concurrent_calls=1)
    for number, priority in ((0, 2), (1, 4), (2, 2)):
        add_batch(
            services,
            2,
            batch_id=f"batch-{number}",
            person_ids=people(number),
            phones=phones(number),
            priority=priority,
            start=None,
        )
    provider.default = "promise"
    services.nudges.lost = True
    for number in range(3):
        batches.start(services, f"batch-{number}", "now")
    services.nudges.lost = False
    dispatching.dispatch(services)
    services.nudges.run()
    rung = order(services, provider)
    assert rung[:2] == ["batch-1", "batch-1"]
    assert sorted(rung[2:4]) == sorted(rung[4:6]) == ["batch-0", "batch-2"]  # equals take turns


def test_the_from_numbers_take_turns_and_those_with_the_prefix_come_first(services, worker, provider):
    numbers = ["+56600111111", "+56221234567", "+56600222222"]
    accounts.change(services, "default", {"from_numbers": numbers, "calls_per_second": 50}, "ana", "en")
    add_batch(services, 40)
    worker.tick()
    used = {request.from_number for request in provider.requests}
    assert used == set(numbers)
    add_batch(
        services, 40, batch_id="batch-cl", policy="cl-collections", person_ids=people(5), phones=phones(5)
    )
    worker.run()
    of_law = {request.from_number for request in provider.requests if request.batch_id == "batch-cl"}
    assert of_law == {"+56600111111", "+56600222222"}


# -- an operator's callback and the waterfall --------------------------------------------------------


def test_an_operators_callback_comes_at_its_hour_ahead_of_the_wave(services, worker, provider):
    add_batch(services, start="next_wave", policy="house")
    at = MONDAY_NOON + timedelta(hours=1, minutes=17)
    jobs.call_back(services, job_id(), at, "ana")
    services.clock.set(at - timedelta(seconds=1))
    worker.run()
    dispatching.dispatch(services)
    worker.run()
    assert not provider.rings
    services.clock.set(at)
    dispatching.dispatch(services)
    worker.run()
    assert len(provider.rings) == 1
    assert job_of(services)["callbacks"][0]["by"] == "ana"


def test_a_callback_at_night_comes_in_the_morning(services, worker, provider):
    add_batch(services, policy="house")
    at = MONDAY_NOON + timedelta(hours=10)
    jobs.call_back(services, job_id(), at, "ana")
    services.clock.set(at)
    dispatching.dispatch(services)
    worker.run()
    assert job_of(services)["next_attempt_at"] == TUESDAY - timedelta(hours=3)


def test_a_callback_reopens_who_was_given_up_but_never_who_opted_out(services, worker, provider):
    provider.script = {phone(1): ["no_answer"], phone(2): ["opted_out"]}
    add_batch(services, 2, max_attempts=1)
    worker.run()
    with pytest.raises(jobs.JobRefusedError, match="opted out"):
        jobs.call_back(services, job_id(number=2), TUESDAY, "ana")
    found = jobs.call_back(services, job_id(), TUESDAY, "ana")
    assert (found["status"], found["next_attempt_at"], found["reopened"][0]["by"]) == (
        "pending",
        TUESDAY,
        "ana",
    )


def test_the_preview_is_what_is_sent(services, worker, provider):
    add_batch(services)
    told = eligibility.preview(services, job_id())
    worker.run()
    assert told["bucket"] == "temprana"
    assert provider.requests[0].dynamic_variables == told["variables"]


def people(number):
    return [f"CL:RUT:{20_000_000 + 1000 * number + n}" for n in range(1, 41)]


def phones(number):
    return [[f"+569{70_000_000 + 1000 * number + n}"] for n in range(1, 41)]


def move_to(services, batch_id, account_id):
    for collection in ("batches", "call_jobs"):
        services.store.db[collection].update_many(
            {"batch_id": batch_id}, {"$set": {"account_id": account_id}}
        )


@pytest.mark.parametrize(
    ("mine", "field", "said"),
    [
        ({"extends": "house", "holidays": "XX"}, "holidays", "no hay un calendario de feriados «XX»"),
        ({"extends": "house", "holidays": "HolidayBase"}, "holidays", "como US"),
        ({"extends": "anytime", "simulation_only": False}, "simulation_only", "anytime"),
        ({"extends": "house", "windows": "siempre"}, "windows", "windows"),
        ({"extends": "house", "label_es": "\ud800"}, "label_es", "label_es"),
    ],
)
def test_an_own_policy_that_nobody_could_be_called_by_is_refused_by_its_field(services, mine, field, said):
    with pytest.raises(RefusedOptionError) as refused:
        accounts.change(services, "default", {"policies": {"mine": mine}}, "ana", "es")
    assert refused.value.field == f"policies.mine.{field}"
    assert said in refused.value.message
    assert services.store.accounts.get("default").policies == {}
