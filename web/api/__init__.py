"""The JSON API under /api, for programs with a key."""

from web.api import batches, jobs, stopping, uploads
from web.api.blueprint import blueprint

__all__ = ["batches", "blueprint", "jobs", "stopping", "uploads"]
