import subprocess
import sys
from pathlib import Path

import pytest

from tcm_hf._version import __version__
from tcm_hf.cli import detect
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import main

HEAVY = ("torch", "transformers", "numpy", "PIL", "cv2", "tqdm")

# Runs the command line in a fresh process and reports what it cost.
PROBE = f"""
import sys, time
began = time.process_time()
from tcm_hf.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code or 0
heavy = [name for name in {HEAVY!r} if name in sys.modules]
print("PROBE", code, round(time.process_time() - began, 3), ",".join(heavy), file=sys.stderr)
"""


def probe(*arguments):
    process = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True)
    code, seconds, *heavy = process.stderr.splitlines()[-1].removeprefix("PROBE ").split(" ")
    return int(code), float(seconds), [name for name in heavy if name], process


@pytest.mark.parametrize(
    ("arguments", "expected_code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["detect", "--help"], 0),
        (["read", "--help"], 0),
        (["recognize", "--help"], 0),
        (["explain", "--help"], 0),
        (["convert", "--help"], 0),
        (["synth", "--help"], 0),
        (["train", "--help"], 0),
        (["evaluate", "--help"], 0),
        ([], 2),
        (["detekt"], 2),
        (["detect"], 2),
        (["detect", "photo.jpg", "--treshold", "0.5"], 2),
        (["detect", "photo.jpg", "--threshold", "1.5"], 2),
        (["detect", "photo.jpg", "--device", "gpu"], 2),
        (["detect", "no-such-photo.jpg"], 2),
        (["detect", __file__, "--model", "./no/such/model"], 2),
        (["detect", __file__, "--model", str(Path(__file__).parent)], 2),
        (["detect", __file__, "--format", "icdar"], 2),
        (["detect", __file__, "--resume"], 2),
        (["read", __file__, "--format", "searchable-pdf"], 2),
        (["read", __file__, "--pages", "3-1"], 2),
        (["read", __file__, "--recognizer", "./no/such/model"], 2),
        (["recognize", __file__, "--lexicon", "no-such-list.txt"], 2),
        (["explain"], 2),
        (["explain", "no-such-photo.jpg"], 2),
        (["explain", __file__, "--panel-size", "0"], 2),
        (["explain", __file__, "--model", "./no/such/model"], 2),
    ],
)
def test_help_and_mistakes_answer_at_once(arguments, expected_code):
    code, seconds, heavy, process = probe(*arguments)
    assert code == expected_code, process.stderr
    assert heavy == []
    # The claim is half a second on a free machine; imports are what could break it, and are checked above.
    assert seconds < 2
    assert "Traceback" not in process.stderr
    if expected_code == 2:
        assert process.stdout == ""
        assert "error:" in process.stderr.splitlines()[-2]


def test_version_is_printed():
    assert probe("--version")[3].stdout == f"tcm-hf {__version__}\n"


def test_python_dash_m_is_the_same_command():
    process = subprocess.run([sys.executable, "-m", "tcm_hf", "--version"], capture_output=True, text=True)
    assert process.stdout == f"tcm-hf {__version__}\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CommandError("no such\nthing"), 2, "tcm-hf detect: error: no such thing\n"),
        (PermissionError(13, "Permission denied", "out"), 2, "Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_end_with_one_line_and_a_code(monkeypatch, capsys, error, code, text):
    def fail(_):
        raise error

    monkeypatch.setattr(detect, "run", fail)
    assert main(["detect", "photo.jpg"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert text in output.err
    assert output.err.count("\n") == 1


def test_a_bug_is_not_hidden(monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr(detect, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["detect", "photo.jpg"])


@pytest.mark.parametrize(
    "arguments",
    [["detect", "--treshold", "0.5", "x.jpg"], ["dance"], ["train", "detector", "--steps", "0"]],
)
def test_a_wrong_argument_ends_with_one_line_and_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "error:" in err and "--help" in err
