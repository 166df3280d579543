"""What docs/training.md prints can be run: commands have arguments that exist, Python runs, links lead on."""

import re
import shlex
from pathlib import Path

import pytest

from tcm_hf.cli.main import build_parser

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "training.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def own_words(words: list[str]) -> list[str] | None:
    """What our command gets, however it is started."""
    if words[0] == "tcm-hf":
        return words[1:]
    return words[words.index("tcm_hf") + 1 :] if "tcm_hf" in words else None


@pytest.mark.parametrize("words", [own for words in commands() if (own := own_words(words))], ids=" ".join)
def test_commands_have_arguments_that_exist(words):
    build_parser().parse_args(words)


def test_launchers_are_called_as_they_are_named():
    launched = [words for words in commands() if "-m" in words and words[0] != "pip"]
    assert len(launched) == 4
    for words in launched:
        if words[0] == "accelerate":
            assert (REPOSITORY / words[words.index("--config_file") + 1]).is_file()
        else:
            assert words[:5] == ["python", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]


def test_options_exist_that_are_spoken_of():
    shown = set(re.findall(r"(?<=[ `])(--[a-z][a-z0-9_-]*)", TEXT))
    (verb,) = (action for action in build_parser()._actions if action.dest == "verb")
    (kind,) = (action for action in verb.choices["train"]._actions if action.dest == "kind")
    options = {option for parser in kind.choices.values() for option in parser._option_string_actions}
    of_launchers = {"--config_file", "--cpu", "--num_processes", "--standalone", "--nproc_per_node"}
    assert shown - options - of_launchers == set()


@pytest.mark.parametrize("code", blocks("python"), ids=["augmentation", "arguments"])
def test_python_runs_as_printed(code, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "training.md", "exec"), {})


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_to_files(target):
    assert (PAGE.parent / target).exists()
