"""What lies in the folder of an export, and that nothing does when something fails."""

import importlib.util
import json

import pytest

from planted_format import PlantedFormat
from tcm_hf.export import folders
from tcm_hf.export.folders import export_checkpoint
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    tiny_model().save_pretrained(folder)
    TCMImageProcessor(size_divisor=32).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recognizer")
    tiny_recognizer().save_pretrained(folder)
    tiny_processor().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    planted = PlantedFormat()
    monkeypatch.setitem(folders.FORMATS, "planted", planted)
    return planted


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_holds_configuration_processor_card_and_program_and_no_weights(detector, tmp_path):
    files = export_checkpoint(detector, tmp_path / "out", ["planted"])
    assert names_in(tmp_path / "out") == {
        "config.json",
        "preprocessor_config.json",
        "README.md",
        "planted/model.txt",
    }
    assert [(file.format, file.path.as_posix(), file.num_bytes) for file in files] == [
        ("planted", "planted/model.txt", 3)
    ]
    assert json.loads((tmp_path / "out/config.json").read_text())["model_type"] == "tcm"


def test_a_reader_has_its_recogniser_inside_wherever_that_came_from(detector, recognizer, tmp_path):
    first = export_checkpoint(detector, tmp_path / "reader", ["planted"], recognizer=recognizer)
    assert [file.path.as_posix() for file in first] == ["planted/model.txt", "recognizer/planted/model.txt"]
    assert {"recognizer/config.json", "recognizer/charset.json", "recognizer/README.md"} <= names_in(
        tmp_path / "reader"
    )
    saved = tmp_path / "saved"
    tiny_model().save_pretrained(saved)
    TCMImageProcessor(size_divisor=32).save_pretrained(saved)
    (saved / "recognizer").symlink_to(recognizer)
    again = export_checkpoint(saved, tmp_path / "again", ["planted"])
    assert [file.path for file in again] == [file.path for file in first]


def test_the_checkpoint_itself_keeps_its_files_and_gets_the_programs(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    TCMImageProcessor(size_divisor=32).save_pretrained(tmp_path / "model")
    (tmp_path / "model/README.md").write_text("mine")
    before = names_in(tmp_path / "model")
    weights = (tmp_path / "model/model.safetensors").read_bytes()
    export_checkpoint(tmp_path / "model", tmp_path / "model", ["planted"])
    assert names_in(tmp_path / "model") == {*before, "planted/model.txt"}
    assert (tmp_path / "model/README.md").read_text() == "mine"
    assert (tmp_path / "model/model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("error", [0.01, float("nan")])
def test_a_program_that_is_not_equal_leaves_nothing_behind(error, planted, detector, tmp_path):
    planted.error = error
    with pytest.raises(ValueError, match=r"model\.txt differs from the model in PyTorch"):
        export_checkpoint(detector, tmp_path / "out", ["planted"])
    assert list(tmp_path.iterdir()) == []


def test_the_card_names_source_programs_and_how_they_run(detector, tmp_path):
    export_checkpoint(detector, tmp_path / "out", ["planted"])
    card = (tmp_path / "out/README.md").read_text()
    assert f"from `{detector}`" in card
    assert "| `planted/model.txt` | 0.0 MB | 0e+00 |" in card
    assert "run(out)  # text-detection" in card
    assert ".out." not in card


def test_a_recogniser_beside_a_recogniser_is_refused(recognizer, tmp_path):
    with pytest.raises(ValueError, match="expected a model of the type tcm, found 'clip4str'"):
        export_checkpoint(recognizer, tmp_path / "out", ["planted"], recognizer=recognizer)
    assert list(tmp_path.iterdir()) == []


def test_openvino_is_refused_for_a_recogniser_before_it_computes_other_words(
    recognizer, tmp_path, monkeypatch
):
    monkeypatch.setattr("tcm_hf.export.folders.check_installed", lambda *packages: None)
    with pytest.raises(ValueError, match="there is no export of a clip4str model to openvino"):
        export_checkpoint(recognizer, tmp_path / "out", ["openvino"])
    assert list(tmp_path.iterdir()) == []


def test_eight_bits_without_photos_are_refused(detector, tmp_path):
    with pytest.raises(ValueError, match="calibrated on photos: name some"):
        export_checkpoint(detector, tmp_path / "out", ["onnx-int8"])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(ValueError, match=r"`formats` must be of 'onnx', .*: got \['tflite'\]"):
        export_checkpoint("nowhere", tmp_path / "out", ["tflite"])


@pytest.mark.parametrize(
    ("formats", "missing", "extra"),
    [
        (["onnx"], ["onnxscript"], r"needs onnxscript: pip install \"tcm_hf\[onnx\]\""),
        (["openvino"], ["onnx", "openvino"], r"needs onnx and openvino: .*\[onnx,openvino\]"),
    ],
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    formats, missing, extra, monkeypatch, tmp_path
):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in missing else found(name, *rest)
    )
    with pytest.raises(ImportError, match=extra):
        export_checkpoint("nowhere", tmp_path / "out", formats)
