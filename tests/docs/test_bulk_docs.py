"""docs/bulk.md: commands have arguments that exist, links lead to files, the files it names are written."""

import re
import shlex
from pathlib import Path

import pytest

from tcm_hf.bulk.parts import PartFolder
from tcm_hf.bulk.plan import Plan, SourceFile
from tcm_hf.cli.main import build_parser

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "bulk.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [line for line in TEXT.splitlines() if line.startswith("tcm-hf ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_have_arguments_that_exist(command):
    assert build_parser().parse_args(shlex.split(command)[1:]).engine == "ray"


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_the_links_lead_somewhere(target):
    assert target.startswith("https://") or (PAGE.parent / target).exists()


def test_a_folder_of_results_holds_what_the_page_says(tmp_path):
    folder = PartFolder(str(tmp_path))
    plan = Plan("photos", "tar", None, 2, {}, (SourceFile("a.tar", 10, 25),))
    folder.write_plan(plan)
    folder.write_part(12, [], [])
    folder.finish(plan, [])
    for path in tmp_path.rglob("*.json*"):
        assert f"`{path.relative_to(tmp_path).as_posix()}`" in TEXT
