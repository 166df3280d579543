"""The attacks of fuzzing/ hold for their seeds, and for the seeds cut off and with bytes changed."""

import random
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# All but the reader of MATLAB files, which is scipy's: damaged ones can end the process.
NAMES = (
    *(
        "pictures",
        "picture-headers",
        "annotations",
        "recognisers",
        "mmcv-configurations",
        "yaml-configurations",
    ),
    *("uploads", "result-files", "interrupted-runs", "checkpoint-files", "checkpoint-pickles"),
)
LOG = """INFO: seed corpus: files: 118
#119	INITED cov: 1772 ft: 3000 corp: 93/10Kb exec/s: 0 rss: 70Mb
#300	NEW    cov: 1800 ft: 3100 corp: 95/10Kb lim: 4096 exec/s: 20 rss: 80Mb L: 12/12 MS: 1 ChangeBit-
"""


@pytest.fixture(autouse=True)
def import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "fuzzing"]:
        del sys.modules[name]


def damaged(content, random_):
    """A content cut off, repeated, or with a few bytes changed."""
    changed = bytearray(content[: random_.randint(1, len(content) + 20)] * random_.choice((1, 1, 1, 2)))
    for _ in range(random_.randint(0, 3)):
        changed[random_.randrange(len(changed))] = random_.choice((0, 1, 0x22, 0x2C, 0x5B, 0x7F, 0xFF))
    return bytes(changed)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_damaged_seeds_do_no_harm(name):
    from fuzzing.targets import load_target

    target = load_target(name)
    random_ = random.Random(0)
    seeds = target.seeds()
    assert len(set(seeds)) > 2
    for content in seeds:
        target.attack(content)
    for _ in range(40):
        target.attack(damaged(random_.choice(seeds), random_)[: target.longest])


def test_every_target_of_the_table_is_there():
    from fuzzing.targets import NAMES, load_target

    for name in NAMES:
        assert load_target(name).name == name


@pytest.mark.parametrize(
    ("end", "status", "inputs", "fault"),
    [
        ("Done 5000 runs in 61 second(s)\nstat::number_of_executed_units: 5000\n", 0, 5000, ""),
        (" === Uncaught Python exception: ===\nKeyError: 'a|b'\nTraceback\n", 77, 300, "KeyError: 'a\\|b'"),
        ("==1== ERROR: libFuzzer: deadly signal\n", 77, 300, "deadly signal"),
        ("", 1, 300, "ended without a word: see the log"),
    ],
)
def test_the_log_of_a_run_is_a_row_of_the_table(end, status, inputs, fault):
    from fuzzing.run import outcome_of

    outcome = outcome_of("pictures", 118, LOG + end, status)
    assert (outcome.inputs, outcome.edges_before, outcome.edges, outcome.kept) == (inputs, 1772, 1800, 95)
    assert outcome.fault == fault
    assert outcome.row().count("|") == 9 + fault.count("|")
