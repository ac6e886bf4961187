"""Every index, in one place. `speechai indexes` builds them; so does each process at its start."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bson import encode
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection

from speechai.core.promises import OPEN_PROMISES, PromiseState
from speechai.core.states import OPEN_ATTEMPTS, BatchState, JobState, WaveState
from speechai.core.waiting import AFTER_ACCOUNT, FOR_A_LINE, WaitingFor
from speechai.store.database import LONG_AGO, Db, Document
from speechai.store.tallies import UNCOUNTED

log = logging.getLogger(__name__)

_MARKED = IndexModel(
    [(UNCOUNTED, ASCENDING), ("batch_id", ASCENDING)],
    name=UNCOUNTED,
    partialFilterExpression={UNCOUNTED: True},
)
_OPEN = [state.value for state in OPEN_ATTEMPTS]
_FOR_A_LINE = [kind.value for kind in FOR_A_LINE]
_FOR_THE_ACCOUNT = [kind.value for kind in AFTER_ACCOUNT]
_CLAIMING = [state.value for state in BatchState if state is not BatchState.CANCELLED]


def job_indexes() -> list[IndexModel]:
    """Indexes of `call_jobs`."""
    return [
        # the pages of a batch's jobs, by state; whether any is left
        IndexModel([("batch_id", ASCENDING), ("status", ASCENDING), ("_id", ASCENDING)], name="pages"),
        # … and of all batches together
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="pages_of_all"),
        # dispatch: the next due job of a batch, among those that wait for a line
        IndexModel(
            [("batch_id", ASCENDING), ("next_attempt_at", ASCENDING), ("seq", ASCENDING)],
            name="due",
            partialFilterExpression={
                "status": JobState.PENDING.value,
                "waiting_for": {"$in": _FOR_A_LINE},
            },
        ),
        # … and of those, who has an hour
        IndexModel(
            [("batch_id", ASCENDING), ("next_attempt_at", ASCENDING), ("seq", ASCENDING)],
            name="callbacks",
            partialFilterExpression={
                "status": JobState.PENDING.value,
                "waiting_for": WaitingFor.HOUR.value,
            },
        ),
        # a wave's pick, among those who wait for one: carry-over first, then new people in the file's order
        IndexModel(
            [("batch_id", ASCENDING), ("group_date", ASCENDING), ("seq", ASCENDING)],
            name="group",
            partialFilterExpression={
                "status": JobState.PENDING.value,
                "waiting_for": WaitingFor.WAVE.value,
            },
        ),
        # … and of those called before, the one that is due first: few among any number of new people
        IndexModel(
            [("batch_id", ASCENDING), ("next_attempt_at", ASCENDING), ("seq", ASCENDING)],
            name="carry_over",
            partialFilterExpression={
                "status": JobState.PENDING.value,
                "waiting_for": WaitingFor.WAVE.value,
                "next_attempt_at": {"$gt": LONG_AGO},
            },
        ),
        # how many people have a place in a day's group
        IndexModel(
            [("batch_id", ASCENDING), ("group_date", ASCENDING)],
            name="day",
            partialFilterExpression={"group_date": {"$gt": ""}},
        ),
        # a person's jobs: history, and who is active in another batch
        IndexModel([("person_id", ASCENDING), ("created_at", DESCENDING)], name="person"),
        # what the sweep looks for: few among any number of jobs
        IndexModel(
            [("status", ASCENDING), ("next_attempt_at", ASCENDING)],
            name="watched",
            partialFilterExpression={
                "status": {"$in": [JobState.IN_PROGRESS.value, JobState.SUSPENDED.value]}
            },
        ),
        # promises that payments are held against: those that are over, and those of who paid
        IndexModel(
            [("account_id", ASCENDING), ("promise.due", ASCENDING)],
            name="promise_due",
            partialFilterExpression={"promise.status": PromiseState.PROMISED.value},
        ),
        IndexModel(
            [("account_id", ASCENDING), ("person_id", ASCENDING)],
            name="promise_of",
            partialFilterExpression={"promise.status": {"$in": OPEN_PROMISES}},
        ),
        # those whom what their account lacks holds: they go on together
        IndexModel(
            [("account_id", ASCENDING)],
            name="suspended",
            partialFilterExpression={
                "status": JobState.SUSPENDED.value,
                "waiting_for": {"$in": _FOR_THE_ACCOUNT},
            },
        ),
        # what is handed out and not yet taken up: a handful among any number of jobs
        IndexModel(
            [("released_until", ASCENDING)],
            name="handed_out",
            partialFilterExpression={"released_until": {"$type": "date"}},
        ),
        # what its batch's counters do not hold yet: the moves since the last sweep
        _MARKED,
    ]


def attempt_indexes() -> list[IndexModel]:
    """Indexes of `call_logs`. The unique ones are the daily limits (I2) and "one call at a time"."""
    return [
        IndexModel(
            [("person_id", ASCENDING), ("person_day", ASCENDING), ("person_place", ASCENDING)],
            name="person_day_place",
            unique=True,
            partialFilterExpression={"person_place": {"$exists": True}},
        ),
        IndexModel(
            [("number_key", ASCENDING), ("number_day", ASCENDING), ("number_place", ASCENDING)],
            name="number_day_place",
            unique=True,
            partialFilterExpression={"number_place": {"$exists": True}},
        ),
        IndexModel(
            [("open_person", ASCENDING)],
            name="one_open_call_per_person",
            unique=True,
            partialFilterExpression={"open_person": {"$exists": True}},
        ),
        IndexModel(
            [("open_number", ASCENDING)],
            name="one_open_call_per_number",
            unique=True,
            partialFilterExpression={"open_number": {"$exists": True}},
        ),
        IndexModel(
            [("call_id", ASCENDING)],
            name="call",
            unique=True,
            partialFilterExpression={"call_id": {"$type": "string"}},
        ),
        IndexModel(
            [("details_due", ASCENDING)],
            name="details",
            partialFilterExpression={"details_due": {"$type": "date"}},
        ),
        # numbers that are not a person's: few of any number of calls
        IndexModel([("person_id", ASCENDING)], name="strikes", partialFilterExpression={"strikes": True}),
        # calls of which something became known late that is not obeyed yet
        IndexModel(
            [("reserved_at", ASCENDING)], name="unapplied", partialFilterExpression={"unapplied": True}
        ),
        # what the chain of evidence has no link for yet: the calls of the last half minute
        IndexModel([("reserved_at", ASCENDING)], name="unlinked", partialFilterExpression={"unlinked": True}),
        IndexModel([("person_id", ASCENDING), ("reserved_at", ASCENDING)], name="person"),
        IndexModel([("job_id", ASCENDING), ("reserved_at", ASCENDING)], name="job"),
        IndexModel([("batch_id", ASCENDING), ("reserved_at", ASCENDING)], name="batch"),
        IndexModel(
            [("status", ASCENDING), ("lease_until", ASCENDING)],
            name="open",
            partialFilterExpression={"status": {"$in": _OPEN}},
        ),
        _MARKED,
    ]


def ensure_indexes(db: Db, *, jobs: str, logs: str) -> dict[str, list[str]]:
    """Build what is missing; the names per collection. Building again changes nothing."""
    wanted = {
        jobs: job_indexes(),
        logs: attempt_indexes(),
        "batches": [
            IndexModel([("account_id", ASCENDING), ("created_at", DESCENDING)], name="account"),
            # drafts that their upload wished to be started
            IndexModel(
                [("start_wish", ASCENDING)],
                name="wished",
                partialFilterExpression={
                    "status": BatchState.DRAFT.value,
                    "start_wish": {"$type": "string"},
                },
            ),
            # what a crash may have cut off: cancelled batches with jobs left, jobs being reopened
            IndexModel([("ending", ASCENDING)], name="ending", partialFilterExpression={"ending": True}),
            IndexModel(
                [("reopening.at", ASCENDING)],
                name="reopening",
                partialFilterExpression={"reopening.at": {"$gt": LONG_AGO}},
            ),
            IndexModel([("status", ASCENDING), ("served_at", ASCENDING), ("_id", ASCENDING)], name="turns"),
            IndexModel([("account_id", ASCENDING), ("file.sha256", ASCENDING)], name="file"),
            # of two uploads of the same content at once one is made; a cancelled batch gives its claim up
            IndexModel(
                [("account_id", ASCENDING), ("file.claim", ASCENDING)],
                name="claim",
                unique=True,
                partialFilterExpression={"file.claim": {"$type": "string"}, "status": {"$in": _CLAIMING}},
            ),
        ],
        "waves": [
            IndexModel(
                [("batch_id", ASCENDING), ("day", ASCENDING), ("slot", ASCENDING)], name="slot", unique=True
            ),
            IndexModel(
                [("status", ASCENDING)],
                name="open",
                partialFilterExpression={"status": WaveState.OPEN.value},
            ),
        ],
        "stops": [
            IndexModel(
                [("in_force", ASCENDING)],
                name="one_in_force",
                unique=True,
                partialFilterExpression={"in_force": True},
            )
        ],
        "set_aside": [
            IndexModel([("part", ASCENDING)], name="part"),
            IndexModel([("since", ASCENDING)], name="since"),
        ],
        "do_not_call": [IndexModel([("key", ASCENDING)], name="key")],
        "evidence": [IndexModel([("person_id", ASCENDING), ("seq", ASCENDING)], name="chain", unique=True)],
        "payments": [
            IndexModel([("account_id", ASCENDING), ("person_id", ASCENDING)], name="person"),
            # everything of somebody who is forgotten, in whichever account
            IndexModel([("person_id", ASCENDING)], name="of_anybody"),
        ],
        "persons": [
            IndexModel(
                [("joined_at", ASCENDING)],
                name="joined",
                partialFilterExpression={"joined_at": {"$type": "date"}},
            ),
            IndexModel([("joined_into", ASCENDING)], name="joined_into", sparse=True),
            # who is being forgotten: once at a time
            IndexModel(
                [("erasing", ASCENDING)],
                name="erasing",
                unique=True,
                partialFilterExpression={"erasing": {"$gt": ""}},
            ),
            IndexModel([("erasing_aliases", ASCENDING)], name="erasing_aliases", sparse=True),
        ],
        "ledger": [
            IndexModel([("account_id", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="account")
        ],
        "waterfalls": [IndexModel([("asked_at", ASCENDING)], name="asked")],
        "rejections": [IndexModel([("batch_id", ASCENDING), ("row", ASCENDING)], name="batch")],
        "users": [IndexModel([("email", ASCENDING)], name="email", unique=True)],
        # files between preview and confirmation; the sweep forgets them (a TTL would leave their chunks)
        "uploads.files": [IndexModel([("metadata.saved_at", ASCENDING)], name="expiry")],
    }
    return {name: _built(db[name], models) for name, models in wanted.items()}


def _built(collection: Collection[Document], models: Sequence[IndexModel]) -> list[str]:
    """Build what is missing; an index that an earlier version defined otherwise is built anew."""
    known = collection.index_information()
    for model in models:
        wanted = model.document
        there = known.get(wanted["name"])
        if there is not None and _definition(there) != _definition(wanted):
            log.warning("index %s of %s is built anew", wanted["name"], collection.name)
            collection.drop_index(wanted["name"])
    return collection.create_indexes(models)


def _definition(index: Mapping[str, Any]) -> bytes:
    """What of an index decides what it holds, as the database compares it."""
    options = ("unique", "sparse", "partialFilterExpression")
    return encode({"key": dict(index["key"]), **{name: index[name] for name in options if index.get(name)}})
