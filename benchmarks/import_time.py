"""Seconds that `import tcm_hf`, `import transformers` and the command line take, each in a fresh process.

python benchmarks/import_time.py
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

from harness import machine, print_table

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import transformers": ["-c", "import transformers"],
    "import tcm_hf": ["-c", "import tcm_hf"],
    "import tcm_hf, transformers": ["-c", "import tcm_hf, transformers"],
    "tcm-hf --version": ["-m", "tcm_hf", "--version"],
    "tcm-hf detect --help": ["-m", "tcm_hf", "detect", "--help"],
    "tcm-hf detect --treshold (a typo)": ["-m", "tcm_hf", "detect", "--treshold", "0.5"],
    "from transformers import pipeline": ["-c", "from transformers import pipeline"],
    "import tcm_hf; from transformers import pipeline": [
        "-c",
        "import tcm_hf; from transformers import pipeline",
    ],
}


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each (%(default)s)")
    repeats = parser.parse_args().repeats
    for arguments in COMMANDS.values():
        seconds(arguments)  # the first run reads the files from disk
    rounds = [[seconds(arguments) for arguments in COMMANDS.values()] for _ in range(repeats)]
    rows = [
        (f"`{name}`", *(statistics.median(values) for values in zip(*runs, strict=True)))
        for name, runs in zip(COMMANDS, zip(*rounds, strict=True), strict=True)
    ]
    print(f"Fresh processes, files in the disk cache; {machine()}\n")
    print_table(("command", "seconds", "CPU seconds"), rows)


if __name__ == "__main__":
    main()
