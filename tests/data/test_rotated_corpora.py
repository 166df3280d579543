"""Folders of photos with rotated objects."""

import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.dota import write_dota_labels
from tcm_hf.data.rotated_corpora import (
    load_rotated_corpus,
    load_rotated_labels,
    load_rotated_metadata,
    tiled_records,
)
from tcm_hf.data.rotated_records import RotatedRecord

SHIP = [[10, 10], [30, 12], [29, 22], [9, 20]]


@pytest.fixture
def dota_folder(tmp_path):
    """Two images, one of them empty."""
    for folder in ("images", "labelTxt"):
        (tmp_path / folder).mkdir()
    for name, polygons in (("P1", [SHIP]), ("P2", [])):
        Image.new("RGB", (90, 60)).save(tmp_path / "images" / f"{name}.png")
        record = RotatedRecord(
            np.zeros((60, 90, 3), np.uint8), np.array(polygons), ["storage tank"] * len(polygons)
        )
        write_dota_labels(tmp_path / "labelTxt" / f"{name}.txt", record)
    return tmp_path


def test_dotas_layout_is_read_under_each_of_its_names(dota_folder):
    for name in ("labelTxt", "annfiles", "labelTxt-v1.0"):
        next(path for path in dota_folder.iterdir() if path.name != "images").rename(dota_folder / name)
        records = load_rotated_corpus(dota_folder)
        assert [(record.name, record.class_names) for record in records] == [
            ("P1", ["storage tank"]),
            ("P2", []),
        ]
    np.testing.assert_allclose(records[0].polygons_xy[0], SHIP)


def test_labels_are_read_without_images(dota_folder):
    for folder in (dota_folder, dota_folder / "labelTxt"):
        (dota_folder / "images" / "P1.png").unlink(missing_ok=True)
        assert [record.class_names for record in load_rotated_labels(folder)] == [["storage tank"], []]


def test_metadata_with_polygons_of_any_kind_is_read(tmp_path):
    pentagon = [[0, 0], [20, 0], [24, 5], [20, 10], [0, 10]]
    row = {"file_name": "a.jpg", "polygons": [SHIP, pentagon], "classes": ["ship", "house number"]}
    lines = [
        json.dumps(row | {"ignore": [True, False]}),
        "",
        json.dumps(row | {"polygons": [], "classes": []}),
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    first, second = load_rotated_corpus(tmp_path)
    assert first.class_names == ["ship", "house number"]
    assert first.difficult.tolist() == [True, False]
    np.testing.assert_allclose(first.boxes()[1], [12, 5, 24, 10, 0], atol=1e-3)
    assert second.polygons_xy.shape == (0, 4, 2)
    assert first.with_classes(["house number"]).difficult.tolist() == [False]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}", "'polygons' is missing"),
        ('{"file_name": "a", "polygons": []}', "'classes' is missing"),
        ('{"file_name": "a", "polygons": [[[0, 0], [1, 1]]], "classes": ["x"]}', "3 points"),
        ('{"file_name": "a", "polygons": [[[0, 0], [1, 1], [NaN, 2], [0, 1]]], "classes": ["x"]}', "finite"),
        ('{"file_name": "a", "polygons": [], "classes": ["x"]}', "a class name"),
        ("[]", "not an annotation"),
    ],
)
def test_a_damaged_row_is_named(tmp_path, line, reason):
    (tmp_path / "metadata.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(ValueError, match=rf"metadata\.jsonl, line 2.*{reason}"):
        load_rotated_metadata(tmp_path)


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"labelTxt, or metadata\.jsonl"):
        load_rotated_corpus(tmp_path)


def test_large_images_become_tiles_and_small_ones_stay(tmp_path):
    Image.new("RGB", (150, 60)).save(tmp_path / "large.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 40 wide, 90 high
    Image.new("RGB", (90, 40)).save(tmp_path / "small.jpg", exif=exif)
    records = [
        RotatedRecord(tmp_path / name, np.array([SHIP]), ["ship"]) for name in ("large.png", "small.jpg")
    ]
    assert [record.size_hw() for record in records] == [(60, 150), (90, 40)]
    tiles = tiled_records(records, tile_px=100, overlap_px=20)
    assert [tile.name for tile in tiles] == ["large__100__0___0", "large__100__50___0", "small"]
    assert [len(tile.class_names) for tile in tiles] == [1, 0, 1]
    assert tiles[1].size_hw() == tiles[1].load_image().shape[:2] == (100, 100)
    np.testing.assert_array_equal(tiles[0].cut(np.ones((60, 150, 3), np.uint8))[:60], 1)
    with pytest.raises(ValueError, match="Cannot read the image"):
        RotatedRecord(tmp_path / "gone.png", np.zeros((0, 4, 2)), []).size_hw()
