"""`tcm-hf evaluate rotated` and `tcm-hf dota`: files of results and annotations, tiles and whole images."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.cli import dota
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluate import add_parser as add_evaluate
from tcm_hf.cli.evaluate import run as run_evaluate
from tcm_hf.data.dota import read_dota_labels, read_task1, write_task1

SHIP = np.array([[10, 10], [40, 12], [39, 22], [9, 20]], dtype=float)
FAR_SHIP = SHIP + np.array([140, 20])
TANK = np.array([[60, 30], [80, 30], [80, 50], [60, 50]], dtype=float)


def evaluate(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_evaluate(parser.add_subparsers())
    return run_evaluate(parser.parse_args(["evaluate", "rotated", *map(str, words)]))


def run_dota(*words: object) -> int:
    parser = argparse.ArgumentParser()
    dota.add_parser(parser.add_subparsers())
    return dota.run(parser.parse_args(["dota", *map(str, words)]))


def label_line(polygon, name, difficult=0) -> str:
    return " ".join(map(str, [*np.reshape(polygon, -1).tolist(), name, difficult])) + "\n"


@pytest.fixture
def truth(tmp_path):
    """Two images: a ship and a tank; a ship and a difficult one."""
    folder = tmp_path / "truth" / "labelTxt"
    folder.mkdir(parents=True)
    (folder / "P1.txt").write_text(label_line(SHIP, "ship") + label_line(TANK, "storage-tank"))
    (folder / "P2.txt").write_text(label_line(SHIP, "ship") + label_line(TANK, "ship", 1))
    return folder.parent


@pytest.fixture
def task1(tmp_path):
    """Everything but the tank; the difficult ship too."""
    found = {
        "P1": (SHIP[None], np.array([0.9]), np.array([0])),
        "P2": (np.stack([SHIP, TANK]), np.array([0.8, 0.7]), np.array([0, 0])),
    }
    write_task1(tmp_path / "task1", found, ["ship", "storage tank"])
    return tmp_path / "task1"


@pytest.fixture
def json_lines(tmp_path):
    """The same as `task1`, as `tcm-hf detect --task rotated` writes it."""
    rows = [
        {"source": {"path": f"photos/{name}.png"}, "instances": [_instance(*one) for one in instances]}
        for name, instances in (("P1", [(SHIP, 0.9)]), ("P2", [(SHIP, 0.8), (TANK, 0.7)]))
    ]
    path = tmp_path / "found.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _instance(polygon, score) -> dict:
    return {"label": "ship", "score": score, "polygon": polygon.tolist(), "angle_deg": 0.0}


@pytest.mark.parametrize("predictions", ["task1", "json_lines"])
def test_both_kinds_of_results_give_the_same_numbers(request, truth, capsys, predictions):
    for folder in (truth, truth / "labelTxt"):
        assert evaluate(request.getfixturevalue(predictions), folder) == 0
        scores = json.loads(capsys.readouterr().out)
        assert scores["ap50"] == {"ship": 1.0, "storage tank": 0.0}
        assert (scores["map50"], scores["map50_voc07"], scores["map50_95"]) == (0.5, 0.5, pytest.approx(0.5))
        assert (scores["precision"], scores["recall"]) == (1.0, pytest.approx(2 / 3))
        assert (scores["num_images"], scores["num_objects"]) == (2, {"ship": 2, "storage tank": 1})


def test_classes_ranges_and_thresholds_are_chosen(task1, truth, capsys):
    evaluate(task1, f"{truth}:2-2", "--classes", "ship", "--threshold", "0.85")
    output = capsys.readouterr()
    scores = json.loads(output.out)
    assert (scores["num_images"], scores["map50"], scores["recall"]) == (1, 0.0, 0.0)
    assert "1 images have no annotation and are left out: P1" in output.err


def test_names_pair_whoever_wrote_them(tmp_path, capsys):
    """DOTA's files know words with "-" and images of one word only; metadata and JSON know any."""
    row = {"file_name": "my photo.jpg", "polygons": [SHIP.tolist()], "classes": ["semi-trailer"]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    write_task1(
        tmp_path / "found", {"my_photo": (SHIP[None], np.array([0.9]), np.array([0]))}, ["semi trailer"]
    )
    instance = _instance(SHIP, 0.9) | {"label": "semi trailer"}
    record = {"source": {"path": "photos/my photo.jpg"}, "instances": [instance]}
    (tmp_path / "found.jsonl").write_text(f"{json.dumps(record)}\n")
    for found, more in (("found", []), ("found.jsonl", []), ("found", ["--classes", "semi-trailer"])):
        assert evaluate(tmp_path / found, tmp_path, *more) == 0
        output = capsys.readouterr()
        assert json.loads(output.out)["ap50"] == {"semi trailer": 1.0}
        assert not output.err


def test_a_detector_that_found_nothing_scores_zero(truth, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "Task1_ship.txt").write_text("")
    assert evaluate(tmp_path / "nothing", truth) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["map50"], scores["recall"]) == (0, 0)


def test_two_images_of_one_name_are_named(tmp_path, task1):
    rows = [{"file_name": name, "polygons": [], "classes": []} for name in ("P1 a.jpg", "P1_a.jpg")]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(CommandError, match="two images are called P1_a"):
        evaluate(task1, tmp_path)


def test_classes_that_are_nowhere_annotated_are_named(truth, tmp_path, capsys):
    found = {"P1": (np.stack([SHIP, SHIP]), np.array([0.9, 0.8]), np.array([0, 1]))}
    write_task1(tmp_path / "found", found, ["boat", "ship"])
    assert evaluate(tmp_path / "found", truth) == 0
    assert "nowhere annotated, left out: boat\n" in capsys.readouterr().err


def test_a_threshold_is_a_score(task1, truth, capsys):
    with pytest.raises(SystemExit):
        evaluate(task1, truth, "--threshold", "1.5")
    assert "not between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--classes", "whale"], r"no object of the classes \['whale'\]"),
        (["nowhere"], "nowhere is not there"),
    ],
)
def test_a_mistake_of_evaluate_is_named(task1, truth, more, message):
    words = [task1, *more] if more == ["nowhere"] else [task1, truth, *more]
    with pytest.raises(CommandError, match=message):
        evaluate(*words)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("P1.txt", "1,2,3,4,5,6,7,8\n", "Task1_<class>"),
        ("Task1_ship.txt", "P1 0.9 1 2 3\n", "line 1"),
        ("P1.json", '{"source": {"path": "P1.png"}, "instances": [{"polygon": [[0, 0]]}]}', "four points"),
    ],
)
def test_other_files_are_no_results(tmp_path, truth, name, text, message):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / name).write_text(text)
    with pytest.raises(CommandError, match=message):
        evaluate(tmp_path / "found", truth)


@pytest.fixture
def large(tmp_path):
    """A photo of 260 x 150 with a ship near the seam of its tiles, and an empty one."""
    folder = tmp_path / "large"
    for name in ("images", "labelTxt"):
        (folder / name).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (150, 260, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "images" / "P1.png")
    Image.fromarray(pixels[:90, :80]).save(folder / "images" / "P2.png")
    (folder / "labelTxt" / "P1.txt").write_text(label_line(FAR_SHIP, "ship"))
    (folder / "labelTxt" / "P2.txt").write_text("")
    return folder


def test_what_is_split_and_merged_is_what_it_was(large, tmp_path, capsys):
    tiles = tmp_path / "tiles"
    assert run_dota("split", large, "--output", tiles, "--tile", 150, "--overlap", 60, "--skip-empty") == 0
    names = sorted(path.stem for path in (tiles / "labelTxt").iterdir())
    assert names == ["P1__150__110___0", "P1__150__90___0"]
    assert sorted(path.stem for path in (tiles / "images").iterdir()) == names
    pixels = np.asarray(Image.open(large / "images" / "P1.png"))
    tile = np.asarray(Image.open(tiles / "images" / "P1__150__110___0.png"))
    np.testing.assert_array_equal(tile, pixels[:150, 110:260])
    # Found in both tiles, once with another score.
    found = {}
    for name, score in zip(names, (0.6, 0.9), strict=True):
        polygons, _, _ = read_dota_labels(tiles / "labelTxt" / f"{name}.txt")
        found[name] = (polygons, np.array([score]), np.array([0]))
    write_task1(tmp_path / "found", found, ["ship"])
    assert run_dota("merge", tmp_path / "found", "--output", tmp_path / "merged") == 0
    merged = read_task1(tmp_path / "merged", ["ship"])
    assert list(merged) == ["P1"]
    assert merged["P1"]["ship"].scores.tolist() == [0.9]
    np.testing.assert_allclose(
        np.sort(merged["P1"]["ship"].polygons_xy[0], axis=0), np.sort(FAR_SHIP, axis=0), atol=0.6
    )
    capsys.readouterr()
    assert evaluate(tmp_path / "merged", large) == 0
    assert json.loads(capsys.readouterr().out)["map50"] == 1.0


def test_nothing_is_mixed_into_what_is_there(large, task1, tmp_path):
    split = ["split", large, "--tile", 150, "--overlap", 60, "--output"]
    merge = ["merge", task1, "--output"]
    for words in ([*split, large], [*merge, task1], ["split", large / "images", "--output", large]):
        with pytest.raises(CommandError, match="must be another folder"):
            run_dota(*words)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    for words in (split, merge):
        with pytest.raises(CommandError, match=r"holds other files \(notes\.txt\)"):
            run_dota(*words, tmp_path / "full")
        # The same again is no mixture.
        assert run_dota(*words, tmp_path / words[0]) == run_dota(*words, tmp_path / words[0]) == 0
    with pytest.raises(CommandError, match="other settings"):
        run_dota(*split, tmp_path / "split", "--skip-empty")
    with pytest.raises(CommandError, match=r"holds other files \(Task1_ship"):
        run_dota(*merge, tmp_path / "merge", "--classes", "storage-tank")


def test_a_class_that_was_looked_for_gets_a_file_and_others_are_no_classes(json_lines, task1, tmp_path):
    text = json_lines.read_text().replace(
        '"instances"', '"params": {"classes": ["ship", "plane"]}, "instances"'
    )
    json_lines.write_text(text)
    assert run_dota("merge", json_lines, "--output", tmp_path / "a", "--classes", "plane", "ship") == 0
    assert (tmp_path / "a" / "Task1_plane.txt").read_text() == ""
    assert run_dota("merge", task1, "--output", tmp_path / "b", "--classes", "storage tank") == 0
    with pytest.raises(CommandError, match=r"knows no zebra, it has \['ship', 'storage tank'\]"):
        run_dota("merge", task1, "--output", tmp_path / "c", "--classes", "ship", "zebra")


def test_images_without_labels_are_split_at_several_sizes(large, tmp_path):
    folder, tiles = large / "images", tmp_path / "tiles"
    assert run_dota("split", folder, "--output", tiles, "--tile", 300, 150, "--overlap", 60) == 0
    assert not (tiles / "labelTxt").exists()
    sizes = {path.stem: Image.open(path).size for path in (tiles / "images").iterdir()}
    assert sizes["P1__300__0___0"] == (300, 300)
    assert len(sizes) == 1 + 3 + 1 + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["split", "large", "--output", "x", "--tile", "100", "--overlap", "100"], "less than --tile"),
        (["split", "nowhere", "--output", "x"], "Expected images"),
        (["merge", "nowhere", "--output", "x"], "no such file"),
    ],
)
def test_a_mistake_of_dota_is_named(large, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        run_dota(*words)
