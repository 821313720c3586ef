"""Prometheus figures of one node, in a registry of its own.

metrics = Metrics(version="0.1.0")
metrics.watch("records", "Records in the own lanes.", lambda: 1234)
metrics.observe_request("GET", "/api/v1/shops", 200, 0.004)
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures; labels are bounded, because a stranger chooses methods and paths."""

    def __init__(self, *, version: str) -> None:
        """Take the version of this software."""
        self._registry = CollectorRegistry()
        ProcessCollector(namespace="wildgrass", registry=self._registry)
        built = Gauge(
            "wildgrass_build", "1; the label says which version runs.", ["version"], registry=self._registry
        )
        built.labels(version).set(1)
        self._requests = Counter(
            "wildgrass_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "wildgrass_http_request_seconds",
            "Seconds until the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is its pattern."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, name: str, help_text: str, question: Callable[[], float]) -> None:
        """Show what `question` answers whenever somebody looks, as the gauge wildgrass_<name>."""
        Gauge(f"wildgrass_{name}", help_text, registry=self._registry).set_function(question)

    def text(self) -> bytes:
        """Return all figures in the text format."""
        return generate_latest(self._registry)
