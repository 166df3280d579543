"""Run the attacks: `python fuzzing/run.py [--seconds 60] [--output out/fuzzing] [TARGET …]`.

One process at a time, at the lowest priority. Inputs that reached new code stay in OUTPUT/corpus/TARGET and
are where the next run begins; an input that brought a fault to light lies in OUTPUT/faults. Prints a table in
Markdown: inputs tried, branches reached at first and at last ("edges" of libFuzzer, of Python code; C code of
Pillow, OpenCV and others is run, but its branches are not counted), and faults. Ends with 1 if there is one.

Needs atheris (`pip install atheris`; Linux, Python 3.11 to 3.13) beside `tcm_hf[test]`.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
SLOWEST_S = 25  # an input that takes longer is a hang; the machine may be busy
MOST_MB = 3000
_STATUS = re.compile(r"#(\d+)\s+(INITED|NEW|REDUCE|pulse|DONE)\s+cov: (\d+) ft: (\d+) corp: (\d+)/")


class Outcome(NamedTuple):
    """What a run of one target was."""

    target: str
    seeds: int
    inputs: int
    seconds: int
    edges_before: int
    edges: int
    kept: int
    fault: str

    def row(self) -> str:
        """Of the table."""
        numbers = (self.seeds, f"{self.inputs:,}", self.seconds, self.edges_before, self.edges, self.kept)
        return f"| {self.target} | {' | '.join(map(str, numbers))} | {self.fault or 'none'} |"


HEADER = """| target | seeds | inputs tried | seconds | edges at first | edges at last | inputs kept | fault |
|--|--:|--:|--:|--:|--:|--:|--|"""


def main() -> int:
    """Run the targets one after the other; 1 if there is a fault."""
    sys.path.insert(0, str(REPOSITORY))
    from fuzzing.targets import NAMES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "out" / "fuzzing", help="folder")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    print(HEADER, flush=True)
    outcomes = []
    for name in args.targets or NAMES:
        outcomes.append(run_target(name, args.seconds, args.output))
        print(outcomes[-1].row(), flush=True)
    return int(any(outcome.fault for outcome in outcomes))


def run_target(name: str, seconds: int, output: Path) -> Outcome:
    """Run one target in a process of its own."""
    from fuzzing.targets import load_target

    target = load_target(name)
    corpus, seeds, faults = output / "corpus" / name, output / "seeds" / name, output / "faults"
    for folder in (corpus, seeds, faults):
        folder.mkdir(parents=True, exist_ok=True)
    for content in target.seeds():
        (seeds / hashlib.sha1(content).hexdigest()).write_bytes(content)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MOST_MB}",
        f"-max_len={target.longest}",
        f"-artifact_prefix={faults / name}-",
        "-print_final_stats=1",
    ]
    if target.words:
        dictionary = output / f"{name}.dict"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        options.append(f"-dict={dictionary}")
    command = [
        sys.executable,
        str(REPOSITORY / "fuzzing" / "attack.py"),
        name,
        str(corpus),
        str(seeds),
        *options,
    ]
    log = output / f"{name}.log"
    with log.open("w", encoding="utf-8", errors="replace") as stream:
        status = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, cwd=output).returncode
    return outcome_of(name, len(list(seeds.iterdir())), log.read_text(errors="replace"), status)


def outcome_of(name: str, seeds: int, log: str, status: int) -> Outcome:
    """What the log of libFuzzer says."""
    states = [(kind, *map(int, numbers)) for *numbers, kind in _states(log)]
    first = next((state for state in states if state[0] == "INITED"), ("", 0, 0, 0))
    last = states[-1] if states else first
    ran = re.search(r"Done \d+ runs in (\d+) second", log)
    total = re.search(r"stat::number_of_executed_units:\s*(\d+)", log)
    inputs = int(total[1]) if total else last[1]
    seconds = int(ran[1]) if ran else 0
    return Outcome(name, seeds, inputs, seconds, first[2], last[2], last[3], _fault_in(log) if status else "")


def _states(log: str) -> list[tuple[str, str, str, str]]:
    """Inputs so far, branches, inputs kept, and what kind of line it is."""
    return [(found[1], found[3], found[5], found[2]) for found in _STATUS.finditer(log)]


def _fault_in(log: str) -> str:
    """The error that ended the run, in a line."""
    for pattern in (r"=== Uncaught Python exception: ===\n([^\n]+)", r"ERROR: libFuzzer: ([^\n(]+)"):
        if found := re.search(pattern, log):
            return found[1].strip().replace("|", "\\|")[:120]
    return "ended without a word: see the log"


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
