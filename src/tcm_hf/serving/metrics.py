"""What a server counts, for Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from tcm_hf._version import __version__

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counts of one application; they begin at nothing with it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "tcm_hf_requests", "Answered requests", ("path", "status"), registry=self._registry
        )
        self._request_s = Histogram(
            "tcm_hf_request_seconds",
            "From the first byte of a request to the last of its answer",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stage_s = Histogram(
            "tcm_hf_stage_seconds",
            "Time in the stages of reading: prepare (decode) and wait of a picture, process of a batch",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch = Histogram(
            "tcm_hf_batch_pictures", "Pictures read at once", buckets=_SIZES, registry=self._registry
        )
        self.inside = Gauge(
            "tcm_hf_requests_inside",
            "Requests being received, waiting or being read",
            registry=self._registry,
        )
        build = Gauge("tcm_hf_build_info", "Version", ("version",), registry=self._registry)
        build.labels(__version__).set(1)

    def observe_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._request_s.labels(path).observe(seconds)

    def observe_batch(self, size: int) -> None:
        """Count a batch."""
        self._batch.observe(size)

    def observe_stage(self, name: str, seconds: float) -> None:
        """Count the time that something took."""
        self._stage_s.labels(name).observe(seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time that the body takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.observe_stage(name, time.perf_counter() - began)

    def render(self) -> bytes:
        """All counts, as `MEDIA_TYPE`."""
        return generate_latest(self._registry)
