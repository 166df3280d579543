"""`tcm-hf explain` with tiny checkpoints."""

import numpy as np
import pytest
from PIL import Image

from planted import picture
from tcm_hf.cli.main import main
from tcm_hf.modeling.modeling_tcm import HEADS
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model


def save_checkpoint(folder, method="fasttcm", **overrides):
    tiny_model(method, **overrides).save_pretrained(folder)
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 160}).save_pretrained(folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(folder)
    return folder


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        Image.fromarray(picture()).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def explain(model, *arguments):
    return main(["explain", *arguments, "--model", str(model), "--device", "cpu", "--panel-size", "160"])


def pictures(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_every_photo_gets_a_figure_wider_than_its_four_panels(checkpoint, photos, capsys):
    assert explain(checkpoint, "photos") == 0
    assert pictures(photos.parent / "explained") == ["a.png", "b.png"]
    with Image.open(photos.parent / "explained" / "a.png") as figure:
        assert (figure.format, figure.mode) == ("PNG", "RGB")
        assert 4 * 160 < figure.width < 5 * 160
        assert 80 < figure.height < 160
        columns = np.split(np.asarray(figure)[:, : figure.width // 4 * 4], 4, axis=1)
    assert all((one != other).any() for i, one in enumerate(columns) for other in columns[:i])
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.endswith("texts in 2 images, 0 failed; results in explained/\n")


def test_a_broken_photo_is_named_and_the_others_go_on(checkpoint, photos, capsys):
    (photos / "aa.jpg").write_bytes(b"no picture")
    assert explain(checkpoint, "photos", "--output", "out") == 3
    assert pictures(photos.parent / "out") == ["a.png", "b.png"]
    error = capsys.readouterr().err
    assert "skipped photos/aa.jpg" in error
    assert "Traceback" not in error


def test_figures_are_not_explained_in_their_turn(checkpoint, photos):
    for _ in range(2):
        assert explain(checkpoint, ".") == 0
    assert pictures(photos.parent / "explained") == ["photos/a.png", "photos/b.png"]


def test_one_photo_may_name_its_figure(checkpoint, photos, capsys):
    assert explain(checkpoint, "photos/a.png", "-o", "figure.png") == 0
    assert (photos.parent / "figure.png").is_file()
    assert explain(checkpoint, "photos", "-o", "figure2.png") == 2
    assert "--output must be a folder" in capsys.readouterr().err
    assert not (photos.parent / "figure2.png").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("photos", "would be read and overwritten"),
        ("photos/a.png", "did not draw"),
        ("photos/b.png", "did not draw"),
        ("figure.jpg", "figures are .png files"),
    ],
)
def test_nothing_but_figures_is_overwritten(checkpoint, photos, capsys, output, message):
    before = [(photos / name).read_bytes() for name in ("a.png", "b.png")]
    assert explain(checkpoint, "photos/a.png", "-o", output) == 2
    assert message in capsys.readouterr().err
    assert [(photos / name).read_bytes() for name in ("a.png", "b.png")] == before
    assert not (photos.parent / "figure.jpg").exists()


def test_a_figure_may_be_drawn_again(checkpoint, photos):
    for _ in range(2):
        assert explain(checkpoint, "photos/a.png", "-o", "figure.png") == 0


@pytest.mark.parametrize("size", ["0", "63", "3000000", "x"])
def test_panels_have_a_reasonable_size(photos, capsys, size):
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "photos/a.png", "--panel-size", size])
    assert stopped.value.code == 2
    assert "64 to 4096" in capsys.readouterr().err


def test_without_a_photo_only_the_path_is_asked_for(photos, capsys):
    assert main(["explain"]) == 2
    assert "name at least one PATH" in (error := capsys.readouterr().err) and "--draw" not in error


def test_a_baseline_has_nothing_to_explain(photos, tmp_path, capsys):
    save_checkpoint(tmp_path / "baseline", "baseline")
    assert explain(tmp_path / "baseline", "photos") == 2
    error = capsys.readouterr().err
    assert "has no text side" in error.splitlines()[-1]
    assert not (tmp_path / "explained").exists()


@pytest.mark.parametrize("head_type", HEADS)
def test_every_detector_is_explained(photos, tmp_path, head_type):
    save_checkpoint(tmp_path / "model", "tcm", head_type=head_type)
    assert explain(tmp_path / "model", "photos/a.png", "--polygon-mode", "polygon") == 0
    assert pictures(tmp_path / "explained") == ["a.png"]
