"""Fixtures for everyone. Real servers start when a test first asks for them."""

from hypothesis import HealthCheck, settings

from tests.servers import _mongo_client, database, mongo_uri, redis_url

__all__ = ["_mongo_client", "database", "mongo_uri", "redis_url"]

# A busy machine is slow for reasons of its own: what a test finds counts, not how long a draw took.
settings.register_profile("speechai", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("speechai")
