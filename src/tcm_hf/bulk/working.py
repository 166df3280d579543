"""From the bytes of a slice to its part; runs in Ray's actors, each with a model of its own."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tcm_hf.bulk.attempts import Attempt
from tcm_hf.bulk.loading import rows_of_slices
from tcm_hf.bulk.parts import BadRow, PartFolder
from tcm_hf.bulk.rows import Row, one_line
from tcm_hf.results.records import Record

if TYPE_CHECKING:
    import numpy as np


class BulkJob(Protocol):
    """What is done with images. It is made in one process, pickled, and loaded in each worker."""

    def load(self) -> None:
        """Load the models.

        Raises:
            Exception: Of any kind, with a text for the user.
        """

    def read(self, pictures: "Iterator[np.ndarray]") -> Iterator[Any]:
        """What is found in pictures, RGB uint8 (H, W, 3), in their order."""

    def record(self, address: str, size_hw: tuple[int, int], found: Any) -> Record:
        """The record of a picture, from its address, height and width in pixels, and what was found."""


@dataclass(frozen=True)
class PartReport:
    """What became of a slice.

    Attributes:
        part: Its number.
        records: How many rows have a record.
        bad: How many have none.
        seconds: Of the worker: decoding, models, writing.
        problem: Why the part was not written; "" where it was.
        is_hopeless: Whether no other slice would fare better: there is no model.
    """

    part: int
    records: int = 0
    bad: int = 0
    seconds: float = 0.0
    problem: str = ""
    is_hopeless: bool = False

    @property
    def rows(self) -> int:
        """Of both kinds."""
        return self.records + self.bad


class PartWorker:
    """Makes parts of slices: an actor.

    Args:
        job: What is done.
        folder: Where the parts go.
    """

    def __init__(self, job: BulkJob, folder: PartFolder):
        self.job = job
        self.folder = folder
        self._why_not_loaded = ""
        try:
            job.load()
        except Exception as error:
            # Reported with the first slice: Ray would wrap an actor that cannot start in pages of text.
            self._why_not_loaded = one_line(error)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Write the parts of loaded slices; returns a `PartReport` for each."""
        return pa.Table.from_pylist([asdict(self.make(part, rows)) for part, rows in rows_of_slices(table)])

    def make(self, part: int, rows: list[Row]) -> PartReport:
        """Write one part. What goes wrong is reported, and no error for Ray."""
        if self._why_not_loaded:
            return PartReport(part, problem=self._why_not_loaded, is_hopeless=True)
        began = time.perf_counter()
        try:
            attempt = self.folder.begin_part(part)
            answers = read_rows(self.job, rows, attempt)
            bad = [answer for answer in answers if isinstance(answer, BadRow)]
            records = [answer for answer in answers if not isinstance(answer, BadRow)]
            self.folder.write_part(part, records, bad)
            attempt.end()
        except Exception as error:
            return PartReport(part, problem=one_line(error))
        return PartReport(part, len(records), len(bad), time.perf_counter() - began)


def read_rows(job: BulkJob, rows: Sequence[Row], attempt: Attempt) -> list[Record | BadRow]:
    """A record, or why there is none, for every row, in order.

    Where the models fail, and where the worker before died, rows are done one by one: so the one that they
    fail or die on is found, and no other is lost.

    Args:
        job: What is done.
        rows: Of one slice.
        attempt: At this slice.
    """
    answers: list[Record | BadRow | None] = [None] * len(rows)
    if attempt.is_first:
        with suppress(Exception):
            _answer(job, rows, range(len(rows)), answers)
    for place in (place for place, answer in enumerate(answers) if answer is None):
        answers[place] = _answer_alone(job, rows, place, attempt)
    return [answer for answer in answers if answer is not None]


def _answer_alone(job: BulkJob, rows: Sequence[Row], place: int, attempt: Attempt) -> Record | BadRow:
    row = rows[place]
    if attempt.is_deadly(place):
        return BadRow(row.id, "workers died over it, again and again")
    attempt.reach(place)
    answers: list[Record | BadRow | None] = [None] * len(rows)
    try:
        _answer(job, rows, [place], answers)
    except Exception as error:
        return BadRow(row.id, f"the model failed: {one_line(error)}")
    return answers[place] or BadRow(row.id, "the model gave no answer")


def _answer(
    job: BulkJob, rows: Sequence[Row], places: Iterable[int], answers: list[Record | BadRow | None]
) -> None:
    # Answers come in order: each picture that went in waits here for its own.
    waiting: deque[tuple[int, tuple[int, int]]] = deque()

    def pictures() -> "Iterator[np.ndarray]":
        for place in places:
            try:
                pixels = _decoded(rows[place])
            except Exception as error:  # decoders fail on broken files in many ways
                answers[place] = BadRow(rows[place].id, one_line(error))
                continue
            waiting.append((place, pixels.shape[:2]))
            yield pixels

    for found in job.read(pictures()):
        place, size_hw = waiting.popleft()
        answers[place] = job.record(rows[place].id, size_hw, found)


def _decoded(row: Row) -> "np.ndarray":
    import numpy as np

    from tcm_hf.processing.image_loading import load_rgb_image

    if row.image is None:
        raise ValueError(row.problem)
    return np.array(load_rgb_image(row.image))
