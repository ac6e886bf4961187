"""Forgetting a person on their demand (Ley 21.719), and the certificate of what was removed and what stays.

What names them goes; digests of the evidence and the wish not to be called stay, under a pseudonym. Every
step may be repeated, and the sweep finishes what a crash interrupts. Whoever is uploaded again begins a new
history.
"""

from __future__ import annotations

import logging
import tempfile
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from speechai.catalog.accounts import plain_of
from speechai.core.lines import line_of
from speechai.ingest import FileError
from speechai.ingest.messages import Language
from speechai.ingest.reader import ReaderCrashedError, read_table
from speechai.operation.records.evidence import link_all
from speechai.operation.records.persons import PersonNotFoundError
from speechai.operation.services import Services
from speechai.store.erasure import Erasure, Traces, matches

log = logging.getLogger(__name__)


class StillCalledError(Exception):
    """The person is in an active batch, or a call to them is not over."""


class Removed(StrEnum):
    """What was removed of a person."""

    FILES = "files"
    REJECTIONS = "rejections"
    PAYMENTS = "payments"
    WISHES = "wishes"
    ATTEMPTS = "attempts"
    JOBS = "jobs"


class Stays(StrEnum):
    """What stays, and why it may or must."""

    EVIDENCE = "evidence"
    WISHES = "wishes"
    SUMS = "sums"
    DEMAND = "demand"
    LOGS = "logs"
    BACKUPS = "backups"
    PROVIDER = "provider"
    ELSEWHERE = "elsewhere"


_TEXTS: dict[StrEnum, dict[Language, str]] = {
    Removed.FILES: {
        "es": "archivos sin confirmar que la nombraban, borrados enteros",
        "en": "files waiting for confirmation that named them, deleted whole",
    },
    Removed.REJECTIONS: {
        "es": "textos de filas rechazadas que la nombraban",
        "en": "words of rejected rows that named them",
    },
    Removed.PAYMENTS: {"es": "pagos informados", "en": "payments that were told of"},
    Removed.WISHES: {
        "es": "anotaciones de no llamar, ahora sin su número ni su documento",
        "en": "do-not-call entries, now without their number or document",
    },
    Removed.ATTEMPTS: {
        "es": "llamadas: número, transcripción, dirección de la grabación, análisis y lo adeudado",
        "en": "calls: number, transcript, address of the recording, analysis, what was owed",
    },
    Removed.JOBS: {
        "es": "contactos: nombre, documento, números, deuda, promesa, resultado y columnas del archivo",
        "en": "contacts: name, document, numbers, debt, promise, result, the file's columns",
    },
    Stays.EVIDENCE: {
        "es": "Los resúmenes encadenados de sus llamadas: sin la sal, que se borró, no dicen nada de nadie.",
        "en": "The chained digests of their calls: without the salt, which is gone, they tell of nobody.",
    },
    Stays.WISHES: {
        "es": "El deseo de no ser llamada, bajo un seudónimo: si no, una carga nueva la llamaría otra vez.",
        "en": "The wish not to be called, under a pseudonym: else a new upload would have them called again.",
    },
    Stays.SUMS: {
        "es": "Fecha, duración, costo y desenlace de cada llamada, con seudónimo: la contabilidad los exige.",
        "en": "Date, length, cost and outcome of each call, under a pseudonym: the books need them.",
    },
    Stays.DEMAND: {
        "es": "Que se borró a alguien: cuándo, quién lo hizo y el motivo, tal como se escribió.",
        "en": "That somebody was erased: when, by whom, and why, as it was written.",
    },
    Stays.LOGS: {
        "es": "Los registros del sistema: no contienen nombres, documentos ni números completos, sólo ids.",
        "en": "The logs: they hold no names, documents or whole numbers, only ids.",
    },
    Stays.BACKUPS: {
        "es": "Los respaldos anteriores, hasta que vencen: al restaurar uno hay que repetir el borrado.",
        "en": "Earlier backups, until they expire: after restoring one, the erasure has to be repeated.",
    },
    Stays.PROVIDER: {
        "es": "Lo que guarda el proveedor de telefonía: pídale borrar las llamadas de `calls_at_provider`.",
        "en": "What the telephone provider keeps: ask it to delete the calls of `calls_at_provider`.",
    },
    Stays.ELSEWHERE: {
        "es": "Los archivos originales y lo que se exportó antes: están fuera de este sistema.",
        "en": "The original files, and what was exported before: they are outside this system.",
    },
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What became of a person who was forgotten."""

    pseudonym: str
    at: datetime
    removed: dict[Removed, int]
    calls_at_provider: tuple[str, ...]

    def as_answer(self, language: Language) -> dict[str, Any]:
        """The certificate as the API and the command line give it."""
        return {
            "erased_as": self.pseudonym,
            "at": self.at,
            "removed": [
                {"what": what.value, "count": count, "text": _TEXTS[what][language]}
                for what, count in self.removed.items()
            ],
            "stays": [{"what": what.value, "text": _TEXTS[what][language]} for what in Stays],
            "calls_at_provider": list(self.calls_at_provider),
        }


def erase(services: Services, person_id: str, by: str, why: str) -> Certificate:
    """Forget a person. Raises PersonNotFoundError, StillCalledError; one that was begun is finished."""
    store = services.store
    erasure = store.erasure.unfinished_of(person_id)
    if erasure is None:
        person = store.persons.joined_into([person_id]).get(person_id, person_id)
        if not store.persons.jobs(person):
            raise PersonNotFoundError(person_id)
        if store.erasure.is_called(person):
            raise StillCalledError(person_id)
        pseudonym, aliases = f"ERASED:{uuid.uuid4().hex}", store.persons.aliases(person)
        erasure = store.erasure.begin(person, aliases, pseudonym, by, why, services.clock.now())
        log.warning("a person is erased by %s, and is %s from now on", by, erasure.pseudonym)
    return _finish(services, erasure)


def finish(services: Services, erasure: Erasure) -> int:
    """Go on with an erasure that a crash interrupted."""
    _finish(services, erasure)
    return 1


def _finish(services: Services, erasure: Erasure) -> Certificate:
    """Every step from the first: what is done already has nothing left to do."""
    store = services.store
    link_all(services, erasure.person_id)
    traces = store.erasure.traces(erasure)  # before what they are read from goes
    names = [name for name, _ in erasure.renamed]
    removed = {
        Removed.FILES: _forget_files(services, traces),
        Removed.REJECTIONS: store.erasure.rejections(traces),
        Removed.PAYMENTS: store.erasure.payments(erasure),
        Removed.WISHES: store.do_not_call.pseudonymise(
            [*map(plain_of, names), *sorted(map(line_of, traces.phones))]
        ),
    }
    store.erasure.links(erasure)
    removed[Removed.ATTEMPTS] = store.erasure.attempts(erasure)
    removed[Removed.JOBS] = store.erasure.jobs(erasure)
    store.erasure.names(erasure)
    store.erasure.finish(erasure)
    calls = (attempt.get("call_id") for attempt in store.persons.attempts(erasure.pseudonym))
    return Certificate(erasure.pseudonym, erasure.begun_at, removed, tuple(filter(None, calls)))


def _forget_files(services: Services, traces: Traces) -> int:
    """Files between preview and confirmation that name them, or that nobody can read to tell."""
    uploads, forgotten = services.store.uploads, 0
    uploads.delete_halves()
    for token in uploads.tokens():
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "upload"
            if uploads.fetch(token, path) is not None and _names_them(path, traces):
                forgotten += uploads.delete(token)
    return forgotten


def _names_them(path: Path, traces: Traces) -> bool:
    try:
        table = read_table(path, known={})
    except (FileError, ReaderCrashedError) as error:
        log.warning("a kept file cannot be read, and is deleted: %s", type(error).__name__)
        return True
    rows = [tuple(map(str, cells)) for cells in (table.headers, *(cells for _, cells in table.rows))]
    return matches((cell for cells in rows for cell in (*cells, " ".join(cells))), traces)
