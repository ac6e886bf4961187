"""The batches' sums, kept up: the sweep folds what moved since it came last, an operator may count anew."""

from __future__ import annotations

import logging

from speechai.operation.campaigns.batches import BatchNotFoundError
from speechai.operation.services import Services

log = logging.getLogger(__name__)

MOST = 20_000  # documents counted by one sweep: a second or two of work; the rest waits for the next one


def count_moves(services: Services, most: int = MOST) -> int:
    """Fold what moved into its batches' counters. Returns how many jobs and attempts.

    Nobody waits for it: whoever reads a batch's sums adds what is not folded in yet. It keeps that little.
    """
    tallies = services.store.tallies
    counted = 0
    for batch_id in tallies.uncounted_batches():
        while counted < most and (piece := tallies.fold(batch_id)):
            counted += piece
    return counted


def rebuild(services: Services, batch_id: str | None = None) -> list[str]:
    """Count a batch, or every batch, anew from its jobs and attempts. Returns which.

    Raises BatchNotFoundError. It may run while calls are made.
    """
    store = services.store
    if batch_id is not None and store.batches.get(batch_id) is None:
        raise BatchNotFoundError(batch_id)
    batches = store.batches.ids() if batch_id is None else [batch_id]
    for each in batches:
        store.tallies.rebuild(each)
    log.info("%d batches counted anew", len(batches))
    return batches
