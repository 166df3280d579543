import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from planted import brightness_pipeline, picture
from tcm_hf.cli import detect, photo_jobs
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.main import main

BARS = {"a": ((60, 80, 200, 112),), "b": ((60, 80, 200, 112), (300, 80, 400, 112)), "c": ()}


@pytest.fixture(autouse=True)
def stub_detector(monkeypatch):
    """The model is a stub that finds what is white."""
    made = []

    def load(_):
        made.append(brightness_pipeline(unclip_ratio=1.0, threshold=0.4))
        return made[-1]

    monkeypatch.setattr(detect, "_load_detector", load)
    return made


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, bars in BARS.items():
        Image.fromarray(picture(bars=bars)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def broken(photos):
    (photos / "b0.jpg").write_bytes(b"no picture")
    (photos / "b1.jpg").write_bytes(b"")
    return photos


def counts(records):
    return {record["source"]["path"]: len(record["instances"]) for record in records}


JOURNAL = "out/detections.run.jsonl"
ALL = {"photos/a.png": 1, "photos/b.png": 2, "photos/c.png": 0}


def test_json_goes_to_stdout_and_talk_to_stderr(photos, capsys):
    assert main(["detect", "photos"]) == 0
    output = capsys.readouterr()
    records = json.loads(output.out)
    assert counts(records) == ALL
    assert records[0]["source"] == {"path": "photos/a.png", "width": 480, "height": 240}
    assert records[0]["model"] == {"id": "fasttcm-dbnet-tiny", "dtype": "float32", "device": "cpu"}
    assert output.err == "tcm-hf detect: 3 texts in 3 images, 0 failed; results in stdout\n"


def test_json_lines_on_stdout(photos, capsys):
    assert main(["detect", "photos", "--format", "jsonl", "--quiet", "--batch-size", "2"]) == 0
    output = capsys.readouterr()
    assert counts(map(json.loads, output.out.splitlines())) == ALL
    assert output.err == ""


def test_a_list_on_stdin(photos, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("photos/gone.png\nempty\nphotos/b.png\n"))
    (photos.parent / "empty").mkdir()
    assert main(["detect", "-"]) == 3
    output = capsys.readouterr()
    assert counts(json.loads(output.out)) == {"photos/b.png": 2}
    assert "skipped photos/gone.png" in output.err
    assert "skipped empty: " in output.err


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--output", "out"], ["out/a.json", "out/b.json", "out/c.json"]),
        (["--output", "out.json"], ["out.json"]),
        (["--output", "out.jsonl"], ["out.jsonl"]),
        (["--output", "out", "--format", "jsonl"], ["out/detections.jsonl"]),
        (["--output", "out.json", "--format", "coco"], ["out.json"]),
        (["--output", "out", "--format", "coco"], ["out/detections.coco.json"]),
        (
            ["--output", "out", "--format", "icdar"],
            [JOURNAL, "out/res_a.txt", "out/res_b.txt", "out/res_c.txt"],
        ),
        (["--output", "out", "--format", "labelme"], ["out/a.json", "out/b.json", "out/c.json", JOURNAL]),
    ],
)
def test_every_format_writes_its_files_and_no_others(photos, capsys, arguments, files):
    assert main(["detect", "photos", *arguments]) == 0
    assert capsys.readouterr().out == ""
    written = (path for path in photos.parent.rglob("*") if path.is_file() and photos not in path.parents)
    assert sorted(path.relative_to(photos.parent).as_posix() for path in written) == files


def test_a_file_per_image_holds_one_record(photos):
    main(["detect", "photos", "--output", "out"])
    record = json.loads((photos.parent / "out" / "b.json").read_text())
    assert counts([record]) == {"photos/b.png": 2}


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["--draw"], "drawn"),
        (["--output", "out", "--draw"], "out/drawn"),
        (["--output", "out/all.jsonl", "--draw"], "out/drawn"),
        (["--draw", "pictures"], "pictures"),
    ],
)
def test_pictures_are_drawn_and_the_place_is_told(photos, capsys, arguments, folder):
    assert main(["detect", "photos", *arguments]) == 0
    assert f"pictures in {folder}/" in capsys.readouterr().err
    assert sorted(path.name for path in (photos.parent / folder).glob("*.jpg")) == ["a.jpg", "b.jpg", "c.jpg"]
    drawn = np.asarray(Image.open(photos.parent / folder / "a.jpg"))
    assert drawn.shape == (240, 480, 3)
    assert np.ptp(drawn.astype(int), axis=2).max() > 100, "the outline has a colour"


def test_drawings_are_not_read_as_photos(photos, capsys):
    for draw in (["--draw", "photos/drawn"], ["--draw", "photos/drawn"], []):
        main(["detect", "photos", *draw])
        assert counts(json.loads(capsys.readouterr().out)) == ALL
    main(["detect", "photos/drawn"])
    assert len(json.loads(capsys.readouterr().out)) == 3, "named outright, they are read"


def test_a_folder_that_was_there_is_still_searched_after_drawing_into_it(photos, capsys):
    shutil.copytree(photos, photos.parent / "mixed")
    main(["detect", "photos/a.png", "--draw", "mixed/"])
    capsys.readouterr()
    main(["detect", "."])
    mixed = {path.replace("photos", "mixed") for path in ALL}
    assert set(counts(json.loads(capsys.readouterr().out))) == {*ALL, *mixed, "mixed/a.jpg"}


def test_a_file_after_draw_is_explained(photos, capsys):
    assert main(["detect", "--draw", "photos/a.png"]) == 2
    assert "put --draw after the paths" in capsys.readouterr().err


@pytest.mark.parametrize("batch_size", ["1", "4"])
def test_broken_images_are_named_and_skipped(broken, capsys, batch_size):
    assert main(["detect", "photos", "--batch-size", batch_size]) == 3
    output = capsys.readouterr()
    assert counts(json.loads(output.out)) == ALL
    assert "skipped photos/b0.jpg: " in output.err
    assert "skipped photos/b1.jpg: " in output.err
    assert "2 failed" in output.err
    assert "Traceback" not in output.err


def test_only_broken_images_give_an_empty_result(broken, capsys):
    assert main(["detect", "photos/b0.jpg"]) == 3
    assert json.loads(capsys.readouterr().out) == []


def test_parameters_reach_the_pipeline_and_the_record(photos, capsys):
    Image.fromarray(picture(grey=150)).save(photos / "a.png")
    main(["detect", "photos/a.png", "--threshold", "0.1", "--unclip-ratio", "2.5", "--tile", "auto"])
    (record,) = json.loads(capsys.readouterr().out)
    assert len(record["instances"]) == 1
    assert record["params"]["threshold"] == 0.1
    assert record["params"]["unclip_ratio"] == 2.5
    assert record["params"]["tile"] == "auto"
    assert isinstance(record["params"]["binarize_threshold"], float)
    main(["detect", "photos/a.png", "--threshold", "0.9"])
    assert counts(json.loads(capsys.readouterr().out)) == {"photos/a.png": 0}


def test_a_shrink_ratio_is_told_where_it_is_in_force(photos, capsys, monkeypatch):
    load = detect._load_detector

    def load_with_shrink_ratio(arguments):
        detector = load(arguments)
        detector.image_processor.shrink_ratio = 0.4
        return detector

    monkeypatch.setattr(detect, "_load_detector", load_with_shrink_ratio)
    for arguments, expected in [([], (0.4, None)), (["--unclip-ratio", "1.5"], (None, 1.5))]:
        main(["detect", "photos/a.png", *arguments])
        (record,) = json.loads(capsys.readouterr().out)
        assert (record["params"]["shrink_ratio"], record["params"]["unclip_ratio"]) == expected


# --- interruption and resuming

OUTPUTS = [
    ["--output", "out"],
    ["--output", "out.json"],
    ["--output", "out.jsonl"],
    ["--output", "out.json", "--format", "coco"],
    ["--output", "out", "--format", "icdar"],
    ["--output", "out", "--format", "labelme"],
]


def interrupt_at(monkeypatch, name):
    """Ctrl-C comes when the image of that name is read."""
    load = photo_jobs._load_pixels

    def load_or_interrupt(image, dpi):
        if image.path.name == name:
            raise KeyboardInterrupt
        return load(image, dpi)

    monkeypatch.setattr(photo_jobs, "_load_pixels", load_or_interrupt)


def contents(folder):
    return {
        path.relative_to(folder): path.read_text() for path in folder.glob("out*/*") if path.is_file()
    } | {path.relative_to(folder): path.read_text() for path in folder.glob("out*") if path.is_file()}


@pytest.mark.parametrize("output", OUTPUTS)
def test_after_ctrl_c_resuming_gives_what_one_run_gives(photos, capsys, monkeypatch, stub_detector, output):
    with monkeypatch.context() as patch:
        interrupt_at(patch, "c.png")
        assert main(["detect", "photos", *output]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert "out.json" not in map(str, contents(photos.parent)), "a file appears whole or not at all"
    kept = contents(photos.parent)
    assert kept
    stub_detector.clear()
    assert main(["detect", "photos", *output, "--resume"]) == 0
    resumed = contents(photos.parent)
    (detector,) = stub_detector
    assert len(detector.model.batch_shapes) < 3, "what was done is not done again"
    assert main(["detect", "photos", *output]) == 0
    assert contents(photos.parent) == resumed


@pytest.mark.parametrize("output", OUTPUTS)
def test_resuming_a_finished_run_loads_no_model(photos, capsys, stub_detector, output):
    main(["detect", "photos", *output])
    finished = contents(photos.parent)
    stub_detector.clear()
    assert main(["detect", "photos", *output, "--resume"]) == 0
    assert stub_detector == []
    assert contents(photos.parent) == finished
    assert "3 done before" in capsys.readouterr().err


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("then", "now", "named"),
    [
        ([], ["--threshold", "0.9"], "--threshold"),
        ([], ["--model", "other/model"], "--model"),
        (["--threshold", "0.2"], [], "--threshold"),
    ],
    ids=["asked for now", "model", "asked for then"],
)
def test_resuming_with_other_settings_is_refused(photos, capsys, output, then, now, named):
    main(["detect", "photos/a.png", *output, *then])
    kept = contents(photos.parent)
    capsys.readouterr()
    assert main(["detect", "photos", *output, "--resume", *now]) == 2
    assert named in capsys.readouterr().err
    assert contents(photos.parent) == kept


@pytest.mark.parametrize("format_name", ["json", "icdar", "labelme"])
def test_a_result_of_another_image_is_not_taken_for_this_one(photos, capsys, format_name):
    shutil.copytree(photos, photos.parent / "other")
    output = ["--output", "out", "--format", format_name]
    main(["detect", "photos", *output])
    kept = contents(photos.parent)
    capsys.readouterr()
    assert main(["detect", "other", *output, "--resume"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no result for other/a.png" in error
    assert contents(photos.parent) == kept


@pytest.mark.parametrize("format_name", ["json", "icdar", "labelme"])
def test_an_image_of_the_same_stem_leaves_earlier_results_in_place(photos, capsys, format_name):
    output = ["--output", "out", "--format", format_name]
    main(["detect", "photos", *output])
    kept = contents(photos.parent)
    Image.fromarray(picture()).save(photos / "a.bmp")
    capsys.readouterr()
    assert main(["detect", "photos", *output, "--resume"]) == 0
    assert "3 done before" in capsys.readouterr().err
    now = contents(photos.parent)
    (added,) = (path.name for path in now.keys() - kept.keys())
    assert added.removeprefix("res_").startswith("a.bmp.")
    assert all(now[path] == text for path, text in kept.items() if path.suffix != ".jsonl")


def test_files_of_another_format_are_not_taken_for_results(photos, capsys):
    main(["detect", "photos", "--output", "out", "--format", "labelme"])
    assert main(["detect", "photos", "--output", "out", "--resume"]) == 2
    assert "in this --format" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["", "{", "[1]\n", '{"schema": "tcm_hf.detection/1"}\n'])
def test_a_damaged_journal_vouches_for_nothing(photos, capsys, damage):
    output = ["--output", "out", "--format", "icdar"]
    main(["detect", "photos", *output])
    (photos.parent / JOURNAL).write_text(damage)
    assert main(["detect", "photos", *output, "--resume"]) == 2
    assert "no result for photos/a.png" in capsys.readouterr().err
    assert main(["detect", "photos", *output]) == 0
    assert main(["detect", "photos", *output, "--resume"]) == 0


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"a": 1}', '[{"schema": "tcm_hf.detection/0"}]'])
def test_resuming_from_a_file_that_is_not_ours_is_refused(photos, capsys, content):
    (photos.parent / "out.json").write_text(content)
    assert main(["detect", "photos", "--output", "out.json", "--resume"]) == 2
    assert "holds no results" in capsys.readouterr().err
    assert (photos.parent / "out.json").read_text() == content


def test_a_failure_to_load_keeps_the_earlier_results(photos, monkeypatch):
    main(["detect", "photos", "--output", "out.json"])
    finished = contents(photos.parent)

    def fail(_):
        raise CommandError("no model")

    monkeypatch.setattr(detect, "_load_detector", fail)
    assert main(["detect", "photos", "--output", "out.json"]) == 2
    assert contents(photos.parent) == finished


def test_ctrl_c_prints_what_was_found(photos, capsys, monkeypatch):
    interrupt_at(monkeypatch, "c.png")
    assert main(["detect", "photos"]) == 130
    found = counts(json.loads(capsys.readouterr().out))
    assert found == {"photos/a.png": 1, "photos/b.png": 2}
