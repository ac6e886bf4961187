"""The control panel: pages for the operator, rendered here, alive where the browser lets them be."""

from web.panel import accounts, batches, do_not_call, jobs, persons, policies, session, stopping, uploads
from web.panel.blueprint import blueprint

__all__ = [
    "accounts",
    "batches",
    "blueprint",
    "do_not_call",
    "jobs",
    "persons",
    "policies",
    "session",
    "stopping",
    "uploads",
]
