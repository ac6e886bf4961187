"""The places of a batch's day that nobody has: whoever took one died before giving it to a person."""

from __future__ import annotations

import logging

from speechai.core.model import Batch
from speechai.core.zones import local_day
from speechai.operation.services import Services

log = logging.getLogger(__name__)


def heal_places(services: Services, batch: Batch) -> int:
    """Free the places of today that a crash left taken in a running batch. Returns how many.

    A place is taken and given to somebody within moments; after a lease it is sure that it never will be.
    """
    today = local_day(services.clock.now(), batch.zone)
    leaked = services.store.groups.recount(batch.id, today, services.settings.lease_seconds)
    if leaked:
        log.warning("%d places of the day were nobody's", leaked, extra={"batch_id": batch.id})
    return leaked
