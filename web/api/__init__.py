"""The JSON API under /api, for programs with a key."""

from web.api import accounts, batches, do_not_call, jobs, payments, persons, policies, stopping, uploads
from web.api.blueprint import blueprint

__all__ = [
    "accounts",
    "batches",
    "blueprint",
    "do_not_call",
    "jobs",
    "payments",
    "persons",
    "policies",
    "stopping",
    "uploads",
]
