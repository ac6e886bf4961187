"""What a Prometheus sees: webhooks by what became of them, slots, and whether dialing waits for something.

One gunicorn process serves the web, so its own counters are all there are. Gauges are read when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from speechai.operation.parts import set_aside
from speechai.operation.services import Services

KEY = "metrics"

blueprint = Blueprint("metrics", __name__)


class Metrics:
    """The app's counters, and a collector of what the database says."""

    def __init__(self, made: Services) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "speechai_webhooks",
            "Webhooks of the provider, by what became of them",
            ["result"],
            registry=self.registry,
        )
        self.registry.register(_Gauges(made))


def metrics() -> Metrics:
    """The app's metrics."""
    found: Metrics = current_app.extensions[KEY]
    return found


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Prometheus's text format."""
    return Response(generate_latest(metrics().registry), content_type=CONTENT_TYPE_LATEST)


class _Gauges(Collector):
    def __init__(self, made: Services) -> None:
        self._services = made

    def collect(self) -> Iterable[GaugeMetricFamily]:
        store, settings = self._services.store, self._services.settings
        slots = store.pacing.slots(settings.provider_key, settings.max_concurrent_calls)
        live = store.attempts.live_count()
        stopped, breakers = store.stops.current() is not None, store.breakers.open_ones()
        yield GaugeMetricFamily("speechai_slots_used", "Slots in use", slots.used)
        yield GaugeMetricFamily("speechai_slots_limit", "Slots that there are", slots.limit)
        yield GaugeMetricFamily(
            "speechai_calls_live",
            "Calls that are not over, unknown ones included",
            live,
        )
        yield GaugeMetricFamily(
            "speechai_dialing_stopped",
            "1 while the kill switch is set",
            int(stopped),
        )
        yield GaugeMetricFamily("speechai_breakers_open", "Accounts whose provider fails", len(breakers))
        yield GaugeMetricFamily(
            "speechai_set_aside",
            "Items of the sweep that raise and are left alone for a while",
            set_aside(self._services).count,
        )

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing is read before somebody asks."""
        return []
