"""The folder of results: the plan, a part a slice, what was bad, and at the end the manifest.

```
plan.jsonl            the source's files and what makes records comparable; first of all
begun/part-….json     a part that is worked on, and over which of its rows workers died: see `Attempt`
bad/part-….jsonl      rows of a part that gave no record: {"id", "problem"}; only where there are any
parts/part-….jsonl    the records of a part, one a line; written last, so that it says: this part is done
bad.jsonl             all bad rows       (only when every part is there
manifest.json         the exact counts    and its rows have been counted)
```
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tcm_hf.bulk.attempts import Attempt
from tcm_hf.bulk.locations import Location
from tcm_hf.bulk.plan import Plan
from tcm_hf.results.records import Record, json_text, render_json_lines

_PLAN, _MANIFEST, _BAD = "plan.jsonl", "manifest.json", "bad.jsonl"


@dataclass(frozen=True)
class BadRow:
    """A row without a record, and why."""

    id: str
    problem: str


@dataclass(frozen=True)
class PartCount:
    """How many rows a part holds; both are 0 where it is not there."""

    part: int
    records: int
    bad: int

    @property
    def rows(self) -> int:
        """Of both kinds."""
        return self.records + self.bad


class PartFolder:
    """A folder of results, here or in an object store.

    Args:
        address: Its path or address, see `Location`.
    """

    def __init__(self, address: str):
        self.location = Location(address)

    def read_plan(self) -> Plan | None:
        """The plan that was begun with here; `None` where none was.

        Raises:
            ValueError: If it is of another version, or broken.
        """
        if self.location.kind(_PLAN).name == "NotFound":
            return None
        try:
            return Plan.from_json_lines(self.location.read(_PLAN))
        except ValueError as error:
            raise ValueError(f"{self.location.address_of(_PLAN)}: {error}; use another --output") from error

    def write_plan(self, plan: Plan) -> None:
        """Begin: from now on the parts have their numbers."""
        self.location.write_whole(_PLAN, plan.to_json_lines())

    def write_part(self, part: int, records: Iterable[Record], bad: Iterable[BadRow]) -> None:
        """Write a part, whole; to do so again changes nothing."""
        lines = "".join(map(_bad_line, bad))
        if lines:
            self.location.write_whole(_bad_name(part), lines.encode())
        else:
            # A run that was killed between both files may have found what it could not read.
            self.location.remove(_bad_name(part))
        self.location.write_whole(_part_name(part), render_json_lines(records).encode())

    def begin_part(self, part: int) -> Attempt:
        """Say that a part is worked on from now on."""
        return Attempt(self.location, f"begun/part-{part:08d}.json")

    def parts(self) -> list[int]:
        """The numbers of the parts that are there, sorted."""
        names = (name for name, _ in self.location.file_sizes("parts"))
        return sorted(int(match[1]) for name in names if (match := re.fullmatch(r"part-(\d+)\.jsonl", name)))

    def count(self, part: int) -> PartCount:
        """Count the rows of a part in its files."""
        counted = (self.location.line_count(name(part)) for name in (_part_name, _bad_name))
        return PartCount(part, *counted)

    def finish(self, plan: Plan, counts: Iterable[PartCount]) -> None:
        """Write the list of all bad rows and the manifest; every part is there."""
        counts = list(counts)
        with self.location.whole_stream(_BAD) as stream:
            for count in counts:
                if count.bad:
                    stream.write(self.location.read(_bad_name(count.part)))
        manifest = {
            **plan.header(),
            "files": len(plan.files),
            "rows": plan.rows,
            "records": sum(count.records for count in counts),
            "bad": sum(count.bad for count in counts),
            "parts": [[count.records, count.bad] for count in counts],
        }
        self.location.remove_temporary_files()
        self.location.remove_folder("begun")
        self.location.write_whole(_MANIFEST, (json.dumps(manifest) + "\n").encode())


def _part_name(part: int) -> str:
    return f"parts/part-{part:08d}.jsonl"


def _bad_name(part: int) -> str:
    return f"bad/part-{part:08d}.jsonl"


def _bad_line(row: BadRow) -> str:
    return json_text(asdict(row)) + "\n"
