"""DOTA's annotation and result files."""

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.dota import (
    class_code,
    class_prompt,
    load_dota,
    read_dota_labels,
    read_task1,
    write_dota_labels,
    write_task1,
)
from tcm_hf.data.rotated_records import RotatedRecord

LABELS = """imagesource:GoogleEarth
gsd:0.146343590398
10.0 10.0 50.0 10.0 50.0 30.0 10.0 30.0 storage-tank 0

60 20 80 40 70 50 50 30 ship 1
"""


def test_annotations_are_read_as_they_stand(tmp_path):
    (tmp_path / "P1.txt").write_text(LABELS)
    polygons, names, difficult = read_dota_labels(tmp_path / "P1.txt")
    assert names == ["storage tank", "ship"] and difficult.tolist() == [False, True]
    assert polygons[1].tolist() == [[60, 20], [80, 40], [70, 50], [50, 30]]


@pytest.mark.parametrize(
    "text, count, why",
    [
        ("", 0, "no objects"),
        ("imagesource:x\ngsd:null\n", 0, "headers alone"),
        ("\ufeff1 1 5 1 5 3 1 3 ship 0\r\n", 1, "a byte order mark, Windows' line ends"),
        ("1 1 5 1 5 3 1 3 ship\n", 1, "no flag"),
        ("-4 -2 5 -2 5 3 -4 3 ship 2\n", 1, "outside of the image; DOTA 1.5's second grade"),
    ],
)
def test_unusual_files_are_read_too(tmp_path, text, count, why):
    (tmp_path / "P1.txt").write_bytes(text.encode())
    polygons, names, difficult = read_dota_labels(tmp_path / "P1.txt")
    assert polygons.shape == (count, 4, 2) and len(names) == len(difficult) == count, why


@pytest.mark.parametrize(
    "line",
    ["1 1 5 1 5 3 ship 0", "1 1 5 1 5 3 1 x ship 0", "1 1 5 1 5 3 1 nan ship 0", "1 1 5 1 5 3 1 3 ship a"],
)
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "P1.txt").write_text(f"gsd:1\n{line}\n")
    with pytest.raises(ValueError, match=r"P1\.txt, line 2"):
        read_dota_labels(tmp_path / "P1.txt")


def test_a_folder_is_read_without_looking_at_pixels(tmp_path):
    for name in ("P2", "P1"):
        (tmp_path / f"{name}.png").write_bytes(b"not an image")
        (tmp_path / f"{name}.txt").write_text(LABELS)
    records = load_dota(tmp_path, tmp_path)
    assert [record.name for record in records] == ["P1", "P2"]
    assert [len(record.class_names) for record in load_dota(tmp_path)] == [0, 0]
    (tmp_path / "P1.txt").unlink()
    with pytest.raises(ValueError, match="no such file"):
        load_dota(tmp_path, tmp_path)
    with pytest.raises(ValueError, match="there are none"):
        load_dota(tmp_path / "elsewhere")


def test_what_is_written_is_read_again(tmp_path):
    polygons = np.random.default_rng(0).uniform(-5, 90, (3, 4, 2)).round(1)
    record = RotatedRecord(
        tmp_path / "P1.png", polygons, ["ship", "storage tank", "ship"], np.array([0, 1, 0], bool)
    )
    write_dota_labels(tmp_path / "P1.txt", record)
    again, names, difficult = read_dota_labels(tmp_path / "P1.txt")
    np.testing.assert_allclose(again, polygons, atol=1e-4)
    assert names == record.class_names and difficult.tolist() == [False, True, False]


def test_results_go_into_one_file_a_class_and_come_back(tmp_path):
    rng = np.random.default_rng(0)
    polygons = rng.uniform(0, 90, (3, 4, 2)).round(2)
    found = {
        "P1": (polygons, np.array([0.9, 0.5, 0.25]), np.array([0, 1, 0])),
        "P2": (polygons[:0], np.zeros(0), np.zeros(0, int)),
    }
    files = write_task1(tmp_path / "results", found, ["ship", "storage tank", "plane"])
    assert [path.name for path in files] == ["Task1_ship.txt", "Task1_storage-tank.txt", "Task1_plane.txt"]
    first = files[0].read_text().splitlines()[0].split()
    assert first[:2] == ["P1", "0.900000"] and len(first) == 10
    again = read_task1(tmp_path / "results", ["ship", "storage tank", "plane"])
    np.testing.assert_allclose(again["P1"]["ship"].polygons_xy, polygons[[0, 2]])
    assert again["P1"]["ship"].scores.tolist() == [0.9, 0.25]
    assert list(again) == ["P1"] and list(again["P1"]) == ["ship", "storage tank"]


def test_missing_or_damaged_results_are_named(tmp_path):
    with pytest.raises(ValueError, match="Task1_ship"):
        read_task1(tmp_path, ["ship"])
    (tmp_path / "Task1_ship.txt").write_text("P1 0.9 1 2 3\n")
    with pytest.raises(ValueError, match=r"Task1_ship\.txt, line 1"):
        read_task1(tmp_path, ["ship"])


def test_classes_are_words_for_the_model_and_codes_for_the_files():
    assert class_prompt("soccer-ball-field") == "soccer ball field"
    assert class_code("soccer ball field") == "soccer-ball-field"


@pytest.mark.parametrize(
    "names", [["car/truck"], ["car\\truck"], ["a" * 250], ["half \ud800"], ["semi-trailer", "semi trailer"]]
)
def test_classes_that_cannot_have_a_file_each_are_refused_before_one_is_written(tmp_path, names):
    with pytest.raises(ValueError, match="Each class needs a file of its own"):
        write_task1(tmp_path / "results", {}, ["ship", *names])
    assert not (tmp_path / "results").exists()


def test_a_record_loads_its_image(tmp_path):
    Image.new("RGB", (30, 20), (9, 8, 7)).save(tmp_path / "P1.png")
    assert load_dota(tmp_path)[0].load_image().shape == (20, 30, 3)
