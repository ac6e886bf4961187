"""The states of batches, jobs, attempts and waves, and the one table of allowed moves of each."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a contact of a batch stands."""

    PENDING = "pending"
    """To be called, once what it waits for (`core/waiting.py`) has come."""
    IN_PROGRESS = "in_progress"
    """An attempt is open for it."""
    SUSPENDED = "suspended"
    """Held by what its account lacks, or by a refusal until an instant; returns to pending by itself."""
    DONE = "done"
    """Final: a person was reached and the batch's purpose is served, or served as far as it goes."""
    FAILED = "failed"
    """Final: nobody was reached, or nobody may be called; `reason` says which."""

    @property
    def is_final(self) -> bool:
        """Whether no message, webhook or sweep may ever leave it."""
        return self in (JobState.DONE, JobState.FAILED)


JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.IN_PROGRESS, JobState.SUSPENDED, JobState.DONE, JobState.FAILED}),
    JobState.IN_PROGRESS: frozenset({JobState.PENDING, JobState.SUSPENDED, JobState.DONE, JobState.FAILED}),
    JobState.SUSPENDED: frozenset({JobState.PENDING, JobState.DONE, JobState.FAILED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset(),
}

JOB_REOPENINGS: dict[JobState, frozenset[JobState]] = {
    JobState.DONE: frozenset({JobState.PENDING}),
    JobState.FAILED: frozenset({JobState.PENDING}),
}
"""What only a recorded reopening may do (who, why): no message, webhook or sweep, and never after an
opt-out."""

JOB_BEGINNINGS = frozenset({JobState.PENDING})


class JobReason(StrEnum):
    """Why a job is final or suspended."""

    GOAL_MET = "goal_met"
    NO_AGREEMENT = "no_agreement"
    NO_ANSWER = "no_answer"
    NO_PHONES = "no_phones"
    OPTED_OUT = "opted_out"
    DO_NOT_CALL = "do_not_call"
    """The person or every number is on the do-not-call list."""
    PROVIDER_FAILURE = "provider_failure"
    CANCELLED = "cancelled"
    PAID = "paid"
    """The debt was paid: nothing is left to call about."""
    NO_CREDIT = "no_credit"
    """Neither the account's balance nor the provider's lets us call."""
    DAILY_BUDGET = "daily_budget"
    """The account's budget of the day is spent; goes on with the next day, or with a larger budget."""
    ACCOUNT_SUSPENDED = "account_suspended"
    """An operator suspended the account."""
    PROVIDER_REFUSED = "provider_refused"
    """The provider refuses the account: key, agent or from-number."""
    NEEDS_REVIEW = "needs_review"
    OTHER_PROVIDER = "other_provider"
    """Its batch was made for another provider, and is dialed through no other."""
    REGISTRY = "registry"
    """A public do-not-call register has not been consulted lately; marketing waits for it."""
    NO_HOURS = "no_hours"
    """No hour that the policy allows is open in all zones in which the number may be."""
    CONSENT = "consent"
    """The policy asks for consent that the batch does not state; marketing waits for it."""


class AttemptState(StrEnum):
    """Where one dial of one number stands."""

    RESERVED = "reserved"
    """The slot and the day's places are taken; nothing was sent."""
    DIALING = "dialing"
    """The request to the provider may be on its way: it may ring."""
    ONGOING = "ongoing"
    """The provider has the call."""
    UNKNOWN = "unknown"
    """The provider did not answer the request: it may have rung. Read before anything else."""
    SETTLED = "settled"
    """Final: what it came to is known."""
    RELEASED = "released"
    """Final: given back, nothing rang."""
    NEEDS_REVIEW = "needs_review"
    """Final for machines: nobody can tell whether it rang. Counts as a ring."""

    @property
    def is_final(self) -> bool:
        """Whether it is never left."""
        return not ATTEMPT_MOVES[self]


ATTEMPT_MOVES: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.RESERVED: frozenset({AttemptState.DIALING, AttemptState.RELEASED}),
    # Settled or released only by the answer to its first post: an earlier one may have rung.
    AttemptState.DIALING: frozenset(
        {AttemptState.ONGOING, AttemptState.UNKNOWN, AttemptState.SETTLED, AttemptState.RELEASED}
    ),
    AttemptState.UNKNOWN: frozenset({AttemptState.DIALING, AttemptState.ONGOING, AttemptState.NEEDS_REVIEW}),
    AttemptState.ONGOING: frozenset({AttemptState.SETTLED, AttemptState.NEEDS_REVIEW}),
    AttemptState.SETTLED: frozenset(),
    AttemptState.RELEASED: frozenset(),
    AttemptState.NEEDS_REVIEW: frozenset(),
}

ATTEMPT_BEGINNINGS = frozenset({AttemptState.RESERVED})

OPEN_ATTEMPTS = tuple(state for state in AttemptState if ATTEMPT_MOVES[state])
"""Attempts that hold a slot, or may."""


class BatchState(StrEnum):
    """Where a batch stands."""

    UPLOADING = "uploading"
    """Its file is being read in: nobody sees or starts it. It becomes a draft whole, or it is deleted."""
    DRAFT = "draft"
    """Uploaded, not started: nobody is called."""
    RUNNING = "running"
    """Its people are called by its schedule."""
    PAUSED = "paused"
    """No new call; calls in flight end normally."""
    COMPLETED = "completed"
    """Every job is final. It runs again only when one of its jobs is reopened, on record."""
    CANCELLED = "cancelled"
    """Final: called off by the operator."""

    @property
    def is_final(self) -> bool:
        """Whether it is never left."""
        return self is BatchState.CANCELLED


BATCH_MOVES: dict[BatchState, frozenset[BatchState]] = {
    BatchState.UPLOADING: frozenset({BatchState.DRAFT}),
    BatchState.DRAFT: frozenset({BatchState.RUNNING, BatchState.CANCELLED}),
    BatchState.RUNNING: frozenset({BatchState.PAUSED, BatchState.COMPLETED, BatchState.CANCELLED}),
    BatchState.PAUSED: frozenset({BatchState.RUNNING, BatchState.CANCELLED}),
    BatchState.COMPLETED: frozenset(),
    BatchState.CANCELLED: frozenset(),
}

BATCH_REOPENINGS: dict[BatchState, frozenset[BatchState]] = {
    BatchState.COMPLETED: frozenset({BatchState.RUNNING}),
}
"""What only the recorded reopening of one of its jobs may do."""

BATCH_BEGINNINGS = frozenset({BatchState.UPLOADING, BatchState.DRAFT})
"""An upload is read in first; a draft is whole as it is made."""


class WaveState(StrEnum):
    """What became of one slot of one date of one batch."""

    OPEN = "open"
    """Being opened: its people are being picked."""
    RUN = "run"
    """Its people were released to be called."""
    MISSED = "missed"
    """It was not opened within 30 minutes of its time, or a later one took its place."""
    SKIPPED = "skipped"
    """The policy forbids it; the rule is recorded."""


WAVE_MOVES: dict[WaveState, frozenset[WaveState]] = {
    WaveState.OPEN: frozenset({WaveState.RUN, WaveState.MISSED}),
    WaveState.RUN: frozenset(),
    WaveState.MISSED: frozenset(),
    WaveState.SKIPPED: frozenset(),
}

WAVE_BEGINNINGS = frozenset({WaveState.OPEN, WaveState.MISSED, WaveState.SKIPPED})
"""One that is not opened is recorded as what it is."""
