"""Runs the benchmarks and puts what they print into RESULTS.md, between the marks of their sections.

    python benchmarks/write_results.py                   # what `make bench` does: all that is quick
    python benchmarks/write_results.py stages decode     # these sections only
    python benchmarks/write_results.py --list

A section of RESULTS.md lies between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; the words around
it are written by hand and stay. A section whose benchmark fails keeps its old text.
"""

import argparse
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
LIMIT_S = 600


class Section(NamedTuple):
    """What a section is made by.

    Attributes:
        command: arguments of Python, from the repository's folder on.
        is_quick: whether it takes less than about two minutes, and so belongs to `make bench`.
    """

    command: str
    is_quick: bool = True


def photos(numbers: str) -> str:
    """The photos of ICDAR 2015 with these numbers, where they are; else the generated scenes of examples/."""
    corpus = "../shared/data/ic15-train"
    return f"--photos {corpus}:{numbers}" if (REPOSITORY / corpus).is_dir() else ""


SECTIONS = {
    "reading-speed": Section(f"benchmarks/reading_speed.py {photos('901-912')} --threads 1 2"),
    "stages": Section(f"benchmarks/stages.py {photos('901-903')} --threads 1 2 --repeats 2"),
    "speed-targets": Section("benchmarks/speed_targets.py --threads 2"),
    "dtype-agreement": Section("benchmarks/dtype_agreement.py"),
    "detectors-of-peers": Section("benchmarks/detectors_of_peers.py --threads 2 --repeats 2"),
    "start-and-memory": Section("benchmarks/start_and_memory.py --threads 2 --repeats 2"),
    "memory-over-images": Section(
        f"benchmarks/memory_over_images.py {photos('1-1000')} --images 1000", is_quick=False
    ),
    "import-time": Section("benchmarks/import_time.py --repeats 2"),
    "recognizer-speed": Section("benchmarks/recognizer_speed.py --batches 1 8 --repeats 5", is_quick=False),
    "decode": Section("benchmarks/decode.py"),
    "targets": Section("benchmarks/targets.py"),
    "serving-load": Section("benchmarks/serving_load.py"),
    "bulk-cost": Section("benchmarks/bulk_cost.py"),
    # Of what `tcm-hf export` wrote there; the command is in RESULTS.md.
    "onnx-equality": Section("benchmarks/onnx_equality.py out/exported --repeats 3", is_quick=False),
    "reading-backends": Section("benchmarks/reading_backends.py --export out/exported", is_quick=False),
}


def printed_by(section: Section) -> str:
    """The command and what it prints, as Markdown.

    Raises:
        RuntimeError: if it fails or takes more than `LIMIT_S` seconds.
    """
    words = shlex.split(section.command)
    try:
        process = subprocess.run(
            [sys.executable, *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"took more than {LIMIT_S} s") from error
    if process.returncode:
        raise RuntimeError(process.stderr.strip() or f"exit code {process.returncode}")
    return f"```bash\npython {shlex.join(words)}\n```\n\n{process.stdout.strip()}\n"


def with_section(document: str, name: str, text: str) -> str:
    """The document with another text between the marks of a section.

    Raises:
        ValueError: if it does not have the two marks once, in this order.
    """
    first, last = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(rf"^{re.escape(first)}\n.*?^{re.escape(last)}$", re.DOTALL | re.MULTILINE)
    if len(pattern.findall(document)) != 1 or document.count(first) != 1 or document.count(last) != 1:
        raise ValueError(
            f"{RESULTS.name} must have the lines {first} and {last} once, one behind the other: put them "
            "where the section belongs."
        )
    return pattern.sub(lambda _: f"{first}\n{text}{last}", document)


def rewrite(path: Path, sections: dict[str, Section]) -> list[str]:
    """Run the benchmarks one after another and write each section as soon as it is there.

    Args:
        path: the document.
        sections: name -> section.

    Returns:
        Names of the sections that failed; why is on stderr.
    """
    failed = []
    for name, section in sections.items():
        began = time.perf_counter()
        try:
            with_section(path.read_text(), name, "")  # no minutes for a section that has no place
            text = printed_by(section)
            path.write_text(with_section(path.read_text(), name, text))  # read again: others may have edited
        except (RuntimeError, ValueError) as error:
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all went well, 1 if a section failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="by name (all that are quick)")
    parser.add_argument("--list", action="store_true", help="print the sections and their commands")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.sections) - set(SECTIONS)):
        parser.error(f"there is no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    if options.list:
        for name, section in SECTIONS.items():
            print(f"{name:20} {'quick' if section.is_quick else 'long '} python {section.command}")
        return 0
    wanted = options.sections or [name for name, section in SECTIONS.items() if section.is_quick]
    return 1 if rewrite(RESULTS, {name: SECTIONS[name] for name in wanted}) else 0


if __name__ == "__main__":
    sys.exit(main())
