"""Thin Celery tasks: each loads by id, calls one operation, and maps what came of it."""
