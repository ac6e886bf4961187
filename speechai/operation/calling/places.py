"""The places of a batch's day that nobody has: whoever took one died before giving it to a person."""

from __future__ import annotations

import logging

from speechai.core.zones import local_day
from speechai.operation.services import Services

log = logging.getLogger(__name__)


def heal_places(services: Services) -> int:
    """Free the places of today that a crash left taken, of every running batch. Returns how many.

    A place is taken and given to somebody within moments; after a lease it is sure that it never will be.
    """
    instant, freed = services.clock.now(), 0
    for batch in services.store.batches.running():
        today = local_day(instant, batch.zone)
        leaked = services.store.groups.recount(batch.id, today, services.settings.lease_seconds)
        if leaked:
            log.warning("%d places of the day were nobody's", leaked, extra={"batch_id": batch.id})
        freed += leaked
    return freed
