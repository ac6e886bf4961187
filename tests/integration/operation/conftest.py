"""A whole SpeechAI in the test's own thread, on the real mongod."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient

from speechai.catalog.use_cases import Country
from speechai.operation.campaigns import batches
from speechai.operation.services import Services
from speechai.store.job_documents import job_document
from tests.builders import a_batch_document, a_debt
from tests.fakes import FakeProvider, Worker, make_services
from tests.moves import MovesWatch


@pytest.fixture(autouse=True)
def moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[MovesWatch]:
    """No test ends well in which a state was moved beside its table, whatever the test is about."""
    watch = MovesWatch()
    watched = partial(MongoClient, event_listeners=[watch])
    monkeypatch.setattr("speechai.store.database.MongoClient", watched)
    yield watch
    assert not watch.faults, "\n".join(watch.faults)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def make(mongo_uri: str, database: str, provider: FakeProvider) -> Callable[..., Services]:
    def _make(**settings: Any) -> Services:
        return make_services(mongo_uri, database, provider=provider, **settings)

    return _make


@pytest.fixture
def services(make: Callable[..., Services]) -> Services:
    return make()


@pytest.fixture
def worker(services: Services) -> Worker:
    assert isinstance(services.nudges, Worker)
    return services.nudges


def phone(number: int) -> str:
    return f"+569{61000000 + number}"


def add_batch(
    services: Services,
    people: int = 1,
    *,
    batch_id: str = "batch-1",
    start: str | None = "now",
    policy: str = "anytime",
    phones: list[list[str]] | None = None,
    person_ids: list[str] | None = None,
    max_attempts: int = 9,
    daily_contacts: int = 60,
    wave_times: tuple[time, ...] = (time(9), time(12), time(15)),
    **changes: Any,
) -> str:
    """A batch of synthetic people, stored as an upload would, and started."""
    instant = services.clock.now()
    services.store.batches.insert(
        {
            **a_batch_document(
                batch_id,
                policy_id=policy,
                provider=services.settings.provider_key,
                wave_times=wave_times,
                daily_contacts=daily_contacts,
                company="Casa Ejemplo",
                max_attempts=max_attempts,
                instant=instant,
            ),
            **changes,
        }
    )
    documents = [
        job_document(
            job_id=job_id(batch_id, number),
            seq=number,
            batch_id=batch_id,
            account_id="default",
            person_id=person_ids[number - 1] if person_ids else f"CL:RUT:{10_000_000 + number}",
            country=Country.CL,
            document=str(10_000_000 + number),
            document_label=None,
            name=f"Persona {number}",
            phones=phones[number - 1] if phones else [phone(number)],
            company=None,
            debt=a_debt(),
            offer={},
            variables={},
            max_attempts=max_attempts,
            rows=[number + 1],
            instant=instant,
        )
        for number in range(1, people + 1)
    ]
    services.store.jobs.insert_many(documents)
    if start:
        batches.start(services, batch_id, start)  # type: ignore[arg-type]
    return batch_id


def job_id(batch_id: str = "batch-1", number: int = 1) -> str:
    return f"{batch_id.replace('batch', 'job')}-{number:06d}"


def job_of(services: Services, number: int = 1, batch_id: str = "batch-1") -> dict[str, Any]:
    document = services.store.jobs.document(job_id(batch_id, number))
    assert document is not None
    return document
