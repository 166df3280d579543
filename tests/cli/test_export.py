"""`tcm-hf export`: what the user is told, without an export."""

import pytest

from planted_format import PlantedFormat
from tcm_hf.cli import export
from tcm_hf.cli.arguments import OneLineParser
from tcm_hf.cli.errors import CommandError
from tcm_hf.export import folders
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model


def called(*words):
    parser = OneLineParser(prog="tcm-hf")
    export.add_parser(parser.add_subparsers(dest="verb"))
    return export.run(parser.parse_args(["export", *map(str, words)]))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    tiny_model().save_pretrained(folder)
    TCMImageProcessor(size_divisor=32).save_pretrained(folder)
    return folder


@pytest.fixture
def planted(monkeypatch):
    planted = PlantedFormat()
    monkeypatch.setitem(folders.FORMATS, "onnx", planted)
    return planted


def test_every_program_is_told_with_its_size_and_difference(detector, planted, tmp_path, capsys):
    assert called(detector, tmp_path / "out") == 0
    output = capsys.readouterr()
    assert output.out == ""
    told = f"tcm-hf export: {tmp_path}/out/planted/model.txt, 0.0 MB, at most 0e+00 from PyTorch\n"
    assert output.err.endswith(told)


def test_quiet_says_nothing(detector, planted, tmp_path, capsys):
    assert called(detector, tmp_path / "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_program_that_differs_is_one_line_and_no_folder(detector, planted, tmp_path):
    planted.error = 1.0
    with pytest.raises(
        CommandError, match=r"cannot export .*: model.txt differs from the model in PyTorch by 1"
    ):
        called(detector, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write_to(detector, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(CommandError, match="out is a file: name a folder"):
        called(detector, tmp_path / "out")


def test_a_detector_is_no_recogniser(detector, tmp_path):
    with pytest.raises(
        CommandError, match=r"--recognizer .*: expected a text recogniser .*found a text detector"
    ):
        called(detector, tmp_path / "out", "--recognizer", detector)


def test_an_unknown_format_ends_with_code_2(detector, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        called(detector, tmp_path / "out", "--to", "tflite")
    assert end.value.code == 2
    assert "invalid choice: 'tflite'" in capsys.readouterr().err
