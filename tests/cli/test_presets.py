"""`tcm-hf presets`: the list, one preset, and the page of the documentation."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tcm_hf.cli.main import main
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.presets.published import DETECTORS, RECOGNIZERS, ROTATED_DETECTORS, SPOTTERS
from tcm_hf.processing.presets_image_processing import PRESETS

PAGE = Path(__file__).parents[2] / "docs" / "presets.md"


def printed(capsys, *arguments):
    assert main(["presets", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_has_a_line_for_every_preset_with_figure_and_source(capsys):
    lines = printed(capsys).splitlines()
    first_words = [line.split(" ")[0] for line in lines]
    assert first_words[1 : first_words.index("")] == [*DETECTORS, *SPOTTERS, *ROTATED_DETECTORS, *RECOGNIZERS]
    (line,) = [line for line in lines if line.startswith("tcm-pan-r50-ctw1500 ")]
    assert " ".join(line.split()[1:]) == "TCM + PAN CLIP ResNet-50 736 x 1333 CTW1500 84.3 [T1]"
    assert any(line.startswith("[T1] TCM, CVPR 2023, table 1") for line in lines)


def test_the_list_needs_nothing_heavy():
    code = (
        "import sys; from tcm_hf.cli.main import main; main(['presets']); main(['presets', '--json']); "
        "sys.exit(bool({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_the_list_as_json_has_every_figure(capsys):
    rows = {row["name"]: row for row in json.loads(printed(capsys, "--json"))}
    assert rows["tcm-dbnet-vit-b16"] == {
        "name": "tcm-dbnet-vit-b16",
        "model": "TCM + DBNet",
        "image_tower": "CLIP ViT-B/16",
        "image_size": "800 x 2944",
        "data_set": "Total-Text",
        "published": [
            {"data_set": "Total-Text", "percent": 83.2, "source": "code", "mark": ""},
            {"data_set": "CTW1500", "percent": 83.28, "source": "code", "mark": ""},
        ],
        "weights": None,
        "note": "The figures are for ViT-B; their source does not say with which patches.",
    }


def test_one_preset_is_printed_with_its_size_and_all_settings(capsys):
    text = printed(capsys, "tcm-pan-r50-ic15")
    assert text.startswith("tcm-pan-r50-ic15: TCM + PAN on CLIP ResNet-50\n")
    assert "113.15 M, 49.49 M without text tower" in text
    assert '"head_type": "pan"' in text
    assert '"embedding_distance": 0.85' in text
    assert "84.6 [T1]" in text


def test_one_preset_as_json_builds_the_same_config(capsys):
    whole = json.loads(printed(capsys, "ablation-lp18", "--json"))
    assert TCMConfig(**whole["config"]).to_dict() == TCMConfig.from_preset("ablation-lp18").to_dict()
    assert whole["image_processor"] == PRESETS["ablation-lp18"]
    assert set(whole["parameters"]) == {"total", "without_text_tower"}


def test_spotters_and_rotated_detectors_are_printed_too(capsys):
    text = printed(capsys, "tcm-testr-r50-ctw1500")
    assert text.startswith("tcm-testr-r50-ctw1500: TCM + TESTR on ResNet-50\n")
    assert '"num_characters": 100' in text and '"threshold": 0.7' in text
    text = printed(capsys, "tcm-rotated-atss-r50-dota")
    assert "TCM + rotated ATSS on CLIP ResNet-50" in text and "76.1 [readme]" in text


def test_a_recogniser_is_printed_too(capsys):
    assert "CLIP4STR on CLIP ViT-B/16" in printed(capsys, "clip4str-base")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tcm-dbnet-r50"], "there is no preset 'tcm-dbnet-r50': did you mean tcm-dbnet-r50-"),
        (["zzz"], "there is no preset 'zzz'"),
        (["tcm-pan-r50-ic15", "--markdown"], "leave NAME out"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    assert main(["presets", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_page_of_the_documentation_is_up_to_date(capsys):
    assert printed(capsys, "--markdown") == PAGE.read_text(encoding="utf-8"), (
        "write it again: tcm-hf presets --markdown > docs/presets.md"
    )
