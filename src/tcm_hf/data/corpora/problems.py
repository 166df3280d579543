"""What is wrong with the files of a corpus: collected row by row, shown or raised at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["CorpusError", "FileError", "Problem", "Problems", "collected"]

_SHOWN = 3
# What Python's own errors mean for a row; their texts are about the code.
_MEANINGS: dict[type[Exception], str] = {
    TypeError: "a value is of another kind than expected",
    IndexError: "a list is shorter than expected",
    OverflowError: "a number is too large",
}


class Problem(NamedTuple):
    """One broken row of a corpus, which was left out."""

    path: Path
    """The file."""
    line: int | None
    """From 1; None where it is the whole file, or one without lines: then the reason names the entry."""
    reason: str
    """What was expected and what came."""

    def __str__(self) -> str:
        """`FILE, line N: reason`."""
        return f"{self.path}{'' if self.line is None else f', line {self.line}'}: {self.reason}"


class Problems(list[Problem]):
    """The broken rows of a corpus in the order in which they were met.

    Attributes:
        notes: What is left out though nothing is broken, with how many there were: `"tasks …"`.
    """

    def __init__(self, rows: Iterable[Problem] = ()) -> None:
        super().__init__(rows)
        self.notes: Counter[str] = Counter()

    def add(self, path: Path | str, line: int | None, reason: str) -> None:
        """Note a broken row."""
        self.append(Problem(Path(path), line, reason))

    @contextmanager
    def row(self, path: Path | str, line: int | None = None, what: str = "") -> Iterator[None]:
        """Read one row in a `with`: an error that broken data causes is noted, and the row left out.

        Args:
            path: The file.
            line: Its line from 1, if it has lines.
            what: Names the entry where there is no line number, e.g. `"text 3 of gt_12"`.
        """
        try:
            yield
        except FileError as error:  # knows best where it is
            self.append(error.problem)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            reason = _MEANINGS.get(type(error), reason)
            self.add(path, line, f"{what}: {reason}" if what else reason)

    def check(self) -> None:
        """Raise CorpusError if there is a problem."""
        if self:
            raise CorpusError(self)


class FileError(ValueError):
    """A file cannot be read at all.

    Args:
        path: The file.
        line: From 1; None where it has no lines, or it is the whole of it.
        reason: What was expected and what came.
    """

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.problem = Problem(path, line, reason)
        super().__init__(f"{self.problem}.")


class CorpusError(ValueError):
    """Rows of a corpus are broken.

    Args:
        problems: At least one. The message has the first three with file, line and reason.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        first = "; ".join(problem_text(problem) for problem in problems[:_SHOWN])
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        super().__init__(
            f"{first}{more}. Mend or drop what is broken: `tcm-hf data inspect` lists all of it, "
            "`tcm-hf data convert` leaves it out (in Python: `problems=`)."
        )


def problem_text(problem: Problem) -> str:
    """A problem as part of a sentence, without its full stop."""
    return str(problem).removesuffix(".")


@contextmanager
def collected(problems: Problems | None) -> Iterator[Problems]:
    """A list to note problems in: the caller's, or one of our own that is raised at the end if not empty.

    Args:
        problems: What the caller of a loader gave; None: broken rows are an error.

    Raises:
        CorpusError: Rows are broken and `problems` is None.
    """
    noted = Problems() if problems is None else problems
    yield noted
    if problems is None:
        noted.check()
