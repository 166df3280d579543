"""The Gradio Space: what it does needs no Gradio, and what it says it needs is what tcm_hf needs."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

from json_schema import assert_follows, shipped_schema

REPOSITORY = Path(__file__).parents[2]
SPACE = REPOSITORY / "space"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("space_app", SPACE / "app.py")
    module = importlib.util.module_from_spec(spec)
    # For what its annotations name.
    sys.modules["space_app"] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["space_app"]


def requirements():
    lines = (SPACE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_the_space_reads_a_photo_without_gradio(app):
    import json

    import tcm_hf

    if not (tcm_hf.default_checkpoint() / "model.safetensors").is_file():
        pytest.skip("no weights beside the package")
    reading = app.PhotoReader()(str(REPOSITORY / "examples" / "images" / "street.jpg"))
    assert reading.drawn.size == (1280, 720)
    assert {"BOOKS", "COFFEE", "OPEN", "SALE"} <= set(reading.text.split())
    record = json.loads(reading.json)
    assert_follows(record, shipped_schema("reading-1.json"))
    assert record["source"]["path"] == "street.jpg"
    assert record["model"]["recognizer"] == "clip4str-tiny"
    assert "COFFEE" in reading.hocr


def test_what_cannot_be_read_is_told(app, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nothing of a photo")
    reader = app.PhotoReader.__new__(app.PhotoReader)
    with pytest.raises(ValueError, match="broken"):
        reader(str(broken))


def test_the_space_installs_what_tcm_hf_needs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # It says more of Pillow, for the sake of Gradio.
    assert requirements() - {"gradio>=6,<7", "pillow<13"} == set(project["dependencies"]) - {"pillow"}


def test_the_card_of_the_space_says_what_runs_it():
    card = (SPACE / "README.md").read_text(encoding="utf-8")
    facts = dict(re.findall(r"^(\w+): (.+)$", card.split("---")[1], re.MULTILINE))
    assert facts["sdk"] == "gradio"
    assert facts["sdk_version"].startswith("6.")
    assert (SPACE / facts["app_file"]).is_file()
    # The Hub refuses longer ones.
    assert len(facts["short_description"]) <= 60


def test_the_page_of_the_space_is_built_by_gradio(app):
    pytest.importorskip("gradio")
    demo = app.build_demo(lambda path: app.Reading(None, "", "", ""))
    assert demo.title == "Read the text in a photo"
