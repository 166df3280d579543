import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.cli.main import main
from tcm_hf.data.corpora.metadata import load_metadata_jsonl

pytestmark = pytest.mark.filterwarnings("ignore:No font is installed")


def synth(output, *more: str) -> int:
    return main(["synth", "--output", str(output), "--size", "160x96", "--workers", "1", *more])


def test_it_writes_images_and_their_annotations(tmp_path, capsys):
    assert synth(tmp_path, "--count", "3") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "metadata.jsonl")
    records = load_metadata_jsonl(tmp_path)
    assert [record.name for record in records] == [f"synth_{index:06d}.jpg" for index in range(3)]
    assert all(record.load_image().shape == (96, 160, 3) for record in records)
    row = json.loads((tmp_path / "metadata.jsonl").read_text().splitlines()[0])
    assert list(row)[:6] == ["file_name", "width", "height", "polygons", "texts", "ignore"]


def test_it_goes_on_where_it_stopped(tmp_path):
    assert synth(tmp_path, "--count", "2") == 0
    first = tmp_path / "synth_000000.jpg"
    made = first.stat().st_mtime_ns
    (tmp_path / "synth_000001.jpg").unlink()
    assert synth(tmp_path, "--count", "4") == 0
    assert len(load_metadata_jsonl(tmp_path)) == 4
    assert (tmp_path / "synth_000001.jpg").exists()
    assert first.stat().st_mtime_ns == made


def test_two_processes_make_the_same_images_as_one(tmp_path):
    assert synth(tmp_path / "one", "--count", "4", "--format", "png") == 0
    assert synth(tmp_path / "two", "--count", "4", "--format", "png", "--workers", "2") == 0
    for name in ["metadata.jsonl", *(f"synth_{index:06d}.png" for index in range(4))]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--seed", "9"], "other settings"),
        (["--options", '{"no_such_field": 1}'], "no_such_field"),
        (["--options", '{"median_words": "x"}'], "median_words"),
        (["--options", '{"tilt_deg": -1}'], "tilt_deg"),
        (["--options", '{"word_height_px": [6]}'], "word_height_px"),
        (["--options", '{"script_shares": {"latin": null}}'], "script_shares"),
        (["--options", '{"script_shares": {"latin": 0}}'], "No font covers the wanted scripts"),
        (["--backgrounds", "no/such/folder"], "no/such/folder is not there"),
        (["--fonts", "no/such/folder"], "no/such/folder"),
    ],
)
def test_a_mistake_ends_with_one_line_and_code_2(tmp_path, capsys, more, named):
    assert synth(tmp_path, "--count", "1") == 0
    capsys.readouterr()
    assert synth(tmp_path, "--count", "1", *more) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert named in error[0]


@pytest.mark.parametrize(
    "more",
    [["--size", "640"], ["--count", "0"], ["--seed", "-1"], ["--options", "[1]"], ["--format", "bmp"]],
)
def test_a_bad_argument_is_refused_before_anything_is_made(tmp_path, more):
    with pytest.raises(SystemExit) as stop:
        main(["synth", "--output", str(tmp_path / "out"), *more])
    assert stop.value.code == 2
    assert not (tmp_path / "out").exists()


def test_backgrounds_may_be_a_part_of_a_folder(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = [{"file_name": f"img_{number}.png", "polygons": [], "texts": []} for number in (1, 2, 3)]
    (photos / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number in (1, 2, 3):
        Image.fromarray(np.full((200, 300, 3), 60 * number, np.uint8)).save(photos / f"img_{number}.png")
    options = ["--count", "4", "--format", "png", "--options", '{"photo_share": 1}', "--backgrounds"]
    assert synth(tmp_path / "part", *options, f"{photos}:1-2") == 0
    assert synth(tmp_path / "first", *options, str(photos), "--backgrounds-first", "2") == 0
    assert synth(tmp_path / "all", *options, str(photos)) == 0
    part, first, every = (
        [path.read_bytes() for path in sorted((tmp_path / name).glob("*.png"))]
        for name in ("part", "first", "all")
    )
    assert part == first
    assert part != every
