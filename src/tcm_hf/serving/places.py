"""Who is let in: so many requests at once, and none when the server is about to stop."""

from collections.abc import Iterator
from contextlib import contextmanager

from tcm_hf.serving.metrics import Metrics
from tcm_hf.serving.refusals import Refusal

_TRY_AGAIN_S = 1


class Places:
    """The places of a server, for requests with pictures.

    Args:
        limit: Number of requests that may be inside.
        metrics: Is told how many are.

    Attributes:
        closed: Whether nobody is let in any more.
    """

    def __init__(self, limit: int, metrics: Metrics):
        self.closed = False
        self._limit = limit
        self._taken = 0
        self._metrics = metrics

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Refusal: If there is none.
        """
        self.check_open()
        if self._taken >= self._limit:
            raise Refusal(
                429,
                "busy",
                f"{self._limit} pictures are being read already. Try again in a moment.",
                retry_after_s=_TRY_AGAIN_S,
            )
        self._take(1)
        try:
            yield
        finally:
            self._take(-1)

    def check_open(self) -> None:
        """Raise a `Refusal` when the server is about to stop."""
        if self.closed:
            raise Refusal(
                503, "stopping", "The server is stopping. Try again in a moment.", retry_after_s=_TRY_AGAIN_S
            )

    def _take(self, change: int) -> None:
        self._taken += change
        self._metrics.inside.set(self._taken)
