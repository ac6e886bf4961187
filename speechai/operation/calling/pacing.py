"""How many slots there are: the operator's limit, and what the provider itself says that it allows."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from speechai.operation.services import Services
from speechai.retell.errors import ProviderError

log = logging.getLogger(__name__)

ASK_EVERY = timedelta(seconds=10)  # however many calls are refused meanwhile


class NoSuchAccountError(Exception):
    """There is no account of that id."""


def state(services: Services) -> dict[str, Any]:
    """Slots in use, the limit in force, and each account's part."""
    settings, store = services.settings, services.store
    slots = store.pacing.slots(settings.provider_key, settings.max_concurrent_calls)
    accounts = {
        account.id: {"used": slots.used_by.get(account.id, 0), "share": account.slots}
        for account in store.accounts.all()
    }
    return {"used": slots.used, "limit": slots.limit, "free": slots.free, "accounts": accounts}


def set_limit(services: Services, limit: int | None, by: str) -> None:
    """Change the limit while everything runs; None: MAX_CONCURRENT_CALLS again. Nobody is hung up."""
    services.store.pacing.set_limit(services.settings.provider_key, limit)
    log.warning("the limit of slots is %s, by %s", limit or "the default", by)
    services.nudges.dispatch()


def set_share(services: Services, account_id: str, share: int | None, by: str) -> None:
    """Change an account's share of the slots; None: all of them. Raises NoSuchAccountError."""
    if not services.store.accounts.set_slots(account_id, share):
        raise NoSuchAccountError(account_id)
    log.warning("the share of %s is %s slots, by %s", account_id, share or "all", by)
    services.nudges.dispatch()


def ask_for_limit(services: Services) -> None:
    """Ask the provider how many calls it allows: it refused one, or allowed fewer than we are set to.

    The workspace's slots are not ours alone (inbound calls, other software), so what others use is taken off.
    """
    settings, pacing = services.settings, services.store.pacing
    provider = settings.provider_key
    if not pacing.may_ask(provider, services.clock.now(), ASK_EVERY):
        return
    try:
        answer = services.provider.get_concurrency()
    except ProviderError as error:
        log.warning("could not ask for the provider's limit", extra={"error": str(error)})
        return
    limit, running = answer.get("concurrency_limit"), answer.get("current_concurrency")
    if not isinstance(limit, int):
        return
    used = pacing.slots(provider, settings.max_concurrent_calls).used
    others = max(0, running - used) if isinstance(running, int) else 0
    inbound = answer.get("reserved_inbound_concurrency")
    allowed = max(1, limit - max(others, inbound if isinstance(inbound, int) else 0))
    enough = allowed >= settings.max_concurrent_calls
    pacing.set_provider_limit(provider, None if enough else allowed)
    if not enough:
        log.warning("the provider allows %d calls now, fewer than MAX_CONCURRENT_CALLS", allowed)
