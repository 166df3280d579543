"""The guides can be followed: every command parses, links lead somewhere, and (slow) all of it runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tcm_hf.cli.main import build_parser

REPOSITORY = Path(__file__).parents[2]
GUIDES = sorted((REPOSITORY / "docs" / "guides").glob("*.md"))
# The trainings and collections of the guides, as short as they can be.
SHORTER = {
    r"--steps \d+": "--steps 2",
    r"--eval-steps \d+": "--eval-steps 2",
    r"--warm-up \d+": "--warm-up 1",
    r"--batch-size \d+": "--batch-size 2",
    r"--calibration-images \d+": "--calibration-images 1",
    r"--count \d+": "--count 24",
}
names = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)


def blocks(guide):
    """The blocks of a guide in order, as (language, text)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(text):
    """The commands of a block: the line, and the exit code that its comment names."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition("  #")
        code = re.search(r"exit code (\d)", comment)
        yield command.strip(), int(code[1]) if code else 0


@names
def test_every_command_of_ours_has_arguments_that_exist(guide):
    ours = []
    for language, text in blocks(guide):
        for command, _ in commands(text) if language in ("bash", "sh") else ():
            words = shlex.split(command.partition(" > ")[0])
            if words[:1] == ["tcm-hf"]:
                ours.append(words)
                build_parser().parse_args(words[1:])
    assert len(ours) > 5


@names
def test_python_compiles_and_links_lead_somewhere(guide):
    for language, text in blocks(guide):
        if language == "python":
            compile(text, guide.name, "exec")
    for target in re.findall(r"\]\(([^)#]+)\)", guide.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (guide.parent / target).exists(), target


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What git would clone, the package installed from it into the folder "site"."""
    clone = tmp_path_factory.mktemp("clone")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, clone / name)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(clone / "site"), str(clone)], check=True)
    return clone


@pytest.mark.slow
@names
def test_the_guide_can_be_followed_from_a_fresh_clone(guide, hub, clone, tmp_path):
    """In an empty folder with the parts of a clone that guides name; the trainings are two steps long."""
    from huggingface_hub import constants

    for name in ("examples", "src"):
        (tmp_path / name).symlink_to(clone / name)
    programs = (clone / "site" / "bin", Path(sys.executable).parent, os.environ["PATH"])
    environment = os.environ | {
        "PYTHONPATH": str(clone / "site"),
        "PATH": os.pathsep.join(map(str, programs)),
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "hf_fake",
        "HF_HUB_OFFLINE": "0",
    }

    def follow(command, code=0):
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert result.returncode == code, (command, result.stdout[-1000:], result.stderr[-3000:])
        return result.stdout

    assert str(clone) in follow([sys.executable, "-c", "import tcm_hf; print(tcm_hf.__file__)"])
    for language, text in blocks(guide):
        if language == "python":
            assert follow([sys.executable, "-c", text]).strip()
        for command, code in commands(text) if language == "bash" else ():
            for long, short in SHORTER.items():
                command = re.sub(long, short, command)
            follow(["bash", "-c", command], code)
    if "me/shop-detector" in guide.read_text(encoding="utf-8"):
        card = hub.repositories["me/shop-detector"].files["README.md"].decode()
        assert "model-index" in card and "tcm-hf evaluate detection after.jsonl shop-test" in card
        assert hub.repositories["me/shop-reader"].branches.keys() == {"main", "v1"}
