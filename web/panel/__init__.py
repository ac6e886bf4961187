"""The control panel: pages for the operator, rendered here, alive where the browser lets them be."""

from web.panel import batches, jobs, session, stopping, uploads
from web.panel.blueprint import blueprint

__all__ = ["batches", "blueprint", "jobs", "session", "stopping", "uploads"]
