"""What the README prints can be copied and run: its Python, its commands, its links."""

import re
import shlex
from pathlib import Path

import pytest

import tcm_hf
from tcm_hf.cli.main import build_parser

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
needs_weights = pytest.mark.skipif(
    not (tcm_hf.default_checkpoint() / "model.safetensors").is_file(),
    reason=f"no model.safetensors in {tcm_hf.default_checkpoint()}",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def command_lines() -> list[list[str]]:
    """Every command of the README as words, pipes taken apart, comments dropped."""
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    commands = []
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|")
        lexer.whitespace_split = True
        words = list(lexer)
        while "|" in words:
            commands.append(words[: words.index("|")])
            words = words[words.index("|") + 1 :]
        commands.append(words)
    return [words for words in commands if words]


@needs_weights
@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs_as_printed_and_finds_text(code, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_there_is_python_to_run():
    assert len(blocks("python")) >= 2


@pytest.mark.parametrize(
    "words", [words[1:] for words in command_lines() if words[0] == "tcm-hf"], ids=" ".join
)
def test_commands_have_arguments_that_exist(words):
    build_parser().parse_args(words)


def test_every_verb_is_shown():
    shown = {words[1] for words in command_lines() if words[0] == "tcm-hf"}
    (verbs,) = (action.choices for action in build_parser()._actions if action.dest == "verb")
    assert shown == set(verbs)


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = {words[1] for words in command_lines() if words[0] == "make"}
    assert shown == {"demo", "test"}
    assert shown <= set(targets)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_to_files(target):
    assert target.startswith("https://") or (REPOSITORY / target).exists()


def test_models_that_are_trained_further_ship_with_the_package():
    training = [words for words in command_lines() if words[:2] == ["tcm-hf", "train"]]
    named = {words[words.index("--model") + 1] for words in training if "--model" in words}
    tasks = ("text-detection", "text-recognition")
    assert named == {tcm_hf.default_checkpoint(task).name for task in tasks}


def parameters_in_row(task: str) -> set[str]:
    (row,) = (line for line in README.splitlines() if line.startswith(f'| `"{task}"` |'))
    return set(re.findall(r"`([a-z_]+)`", row.split("|")[3]))


def test_pipeline_parameters_are_those_of_the_pipelines():
    """The table names every one, and none that is gone."""
    from tcm_hf import TextDetectionPipeline, TextRecognitionPipeline, TextSpottingPipeline

    known = {
        pipeline_class: {
            *pipeline_class.preprocess_parameters,
            *pipeline_class.forward_parameters,
            *pipeline_class.postprocess_parameters,
        }
        for pipeline_class in (TextDetectionPipeline, TextRecognitionPipeline, TextSpottingPipeline)
    }
    detection, recognition = known[TextDetectionPipeline], known[TextRecognitionPipeline]
    assert parameters_in_row("text-detection") == detection
    assert parameters_in_row("text-recognition") == recognition
    assert parameters_in_row("text-spotting") == known[TextSpottingPipeline] - detection - recognition
