import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted_words import painted_photo, painted_spotter
from tcm_hf.cli import photo_jobs, read
from tcm_hf.cli.main import main

# Two words in a line, one below, one a paragraph away; a word turned on its side; nothing.
PHOTOS = {
    "a": (("cab", 150, 22, 0), ("abc", 20, 20, 0), ("bca", 24, 62, 0), ("bbb", 300, 180, 0)),
    "b": (("acb", 100, 60, 1),),
    "c": (),
}
TEXT_OF_A = "abc cab\nbca\n\nbbb\n"
WORDS = {"photos/a.png": 4, "photos/b.png": 1, "photos/c.png": 0}


@pytest.fixture(scope="module")
def spotter():
    return painted_spotter()


@pytest.fixture(autouse=True)
def loaded(monkeypatch, spotter):
    """How often the models were loaded."""
    made = []

    def load(_):
        made.append(spotter)
        return spotter

    monkeypatch.setattr(read, "_load_spotter", load)
    return made


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, words in PHOTOS.items():
        Image.fromarray(painted_photo(*words)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def written(photos):
    paths = (path for path in photos.parent.rglob("*") if path.is_file() and photos not in path.parents)
    return sorted(path.relative_to(photos.parent).as_posix() for path in paths)


def test_the_text_of_one_photo_is_all_that_stdout_gets(photos, capsys):
    assert main(["read", "photos/a.png"]) == 0
    output = capsys.readouterr()
    assert output.out == TEXT_OF_A
    assert output.err == "tcm-hf read: 4 words in 1 images, 0 failed; results in stdout\n"


def test_several_photos_are_headed_by_their_names(photos, capsys):
    assert main(["read", "photos", "--quiet"]) == 0
    output = capsys.readouterr()
    assert output.out == (
        f"==> photos/a.png <==\n{TEXT_OF_A}\n==> photos/b.png <==\nacb\n\n==> photos/c.png <==\n\n"
    )
    assert output.err == ""


def test_a_list_on_stdin_and_a_broken_photo(photos, capsys, monkeypatch):
    (photos / "broken.jpg").write_bytes(b"no picture")
    monkeypatch.setattr("sys.stdin", io.StringIO("photos/broken.jpg\nphotos/b.png\n"))
    assert main(["read", "-", "--batch-size", "2"]) == 3
    output = capsys.readouterr()
    assert output.out == "==> photos/b.png <==\nacb\n\n"
    assert "skipped photos/broken.jpg: " in output.err
    assert "1 words in 1 images, 1 failed" in output.err


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--output", "out"], ["out/a.txt", "out/b.txt", "out/c.txt", "out/readings.run.jsonl"]),
        (["--output", "out.txt"], ["out.txt", "out.txt.run.jsonl"]),
        (["--output", "out.json"], ["out.json"]),
        (["--output", "out.jsonl"], ["out.jsonl"]),
        (["--output", "out", "--format", "json"], ["out/a.json", "out/b.json", "out/c.json"]),
        (["--output", "out", "--format", "jsonl"], ["out/readings.jsonl"]),
        (["--output", "out", "--format", "coco"], ["out/readings.coco.json"]),
        (
            ["--output", "out", "--format", "icdar"],
            ["out/readings.run.jsonl", "out/res_a.txt", "out/res_b.txt", "out/res_c.txt"],
        ),
        (
            ["--output", "out", "--format", "labelme"],
            ["out/a.json", "out/b.json", "out/c.json", "out/readings.run.jsonl"],
        ),
        (
            ["--output", "out", "--format", "hocr"],
            ["out/a.hocr", "out/b.hocr", "out/c.hocr", "out/readings.run.jsonl"],
        ),
        (["--output", "out.hocr"], ["out.hocr", "out.hocr.run.jsonl"]),
        (
            ["--output", "out", "--format", "alto"],
            ["out/a.xml", "out/b.xml", "out/c.xml", "out/readings.run.jsonl"],
        ),
    ],
)
def test_every_format_writes_its_files_and_a_finished_run_is_not_done_again(
    photos, capsys, loaded, arguments, files
):
    assert main(["read", "photos", *arguments]) == 0
    assert capsys.readouterr().out == ""
    assert written(photos) == files
    loaded.clear()
    assert main(["read", "photos", *arguments, "--resume"]) == 0
    assert loaded == []
    assert "3 done before" in capsys.readouterr().err
    assert main(["read", "photos", *arguments, "--resume", "--threshold", "0.9"]) == 2
    assert "--threshold" in capsys.readouterr().err
    assert written(photos) == files


@pytest.mark.parametrize(
    "output", [["out.txt"], ["out.hocr"], ["out.jsonl"], ["out", "--format", "alto"], ["out"]]
)
def test_after_ctrl_c_resuming_gives_what_one_run_gives(photos, capsys, monkeypatch, output):
    load = photo_jobs._load_pixels

    def load_or_interrupt(image, dpi):
        if image.path.name == "c.png":
            raise KeyboardInterrupt
        return load(image, dpi)

    def contents():
        return {name: (photos.parent / name).read_text() for name in written(photos)}

    with monkeypatch.context() as patch:
        patch.setattr(photo_jobs, "_load_pixels", load_or_interrupt)
        assert main(["read", "photos", "--output", *output]) == 130
    assert "out.txt" not in contents() and "out.hocr" not in contents()
    assert main(["read", "photos", "--output", *output, "--resume"]) == 0
    resumed = contents()
    assert main(["read", "photos", "--output", *output]) == 0
    assert contents() == resumed


def test_records_follow_the_schema_and_lines_come_on_demand(photos, capsys):
    main(["read", "photos", "--format", "json"])
    records = json.loads(capsys.readouterr().out)
    assert {record["source"]["path"]: len(record["instances"]) for record in records} == WORDS
    main(["read", "photos", "--format", "jsonl", "--lines", "--characters"])
    with_lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    schema = shipped_schema("reading-1.json")
    for record in (*records, *with_lines):
        assert_follows(record, schema)
    assert "lines" not in records[0]
    first = with_lines[0]
    assert [line["text"] for line in first["lines"]] == ["abc cab", "bca", "bbb"]
    assert [line["words"] for line in first["lines"]] == [[0, 1], [2], [3]]
    assert [line["paragraph"] for line in first["lines"]] == [0, 0, 1]
    assert [found["character"] for found in first["instances"][0]["characters"]] == ["a", "b", "c"]
    assert first["model"]["id"] == "fasttcm-dbnet-tiny"


def test_a_reading_is_a_detection_with_more(photos, capsys):
    main(["read", "photos/a.png", "--format", "json"])
    (record,) = json.loads(capsys.readouterr().out)
    detection = shipped_schema("detection-1.json")
    detection["properties"]["schema"] = {"const": "tcm_hf.reading/1"}
    assert_follows(record, detection)


def test_parameters_reach_the_models_and_the_record(photos, capsys, spotter, tmp_path):
    (tmp_path / "words.txt").write_text("abc\nbcc\n\ncab\n", encoding="utf-8-sig")
    calls = spotter.recognizer.model.calls
    calls.clear()
    arguments = ["--lexicon", "words.txt", "--no-cross-branch", "--refine-iterations", "0"]
    arguments += ["--charset", "abc"]
    main(["read", "photos/a.png", *arguments, "--recognition-batch-size", "1", "--format", "json"])
    (record,) = json.loads(capsys.readouterr().out)
    assert {word["text"] for word in record["instances"]} <= {"abc", "bcc", "cab"}
    assert {word["edit_distance"] for word in record["instances"]} == {0, 1, 2}
    assert set(calls) == {(1, 0, False)}
    params = record["params"]
    assert params["lexicon"] == "words.txt"
    assert (params["use_cross_branch"], params["refine_iterations"], params["charset"]) == (False, 0, "abc")
    assert isinstance(params["binarize_threshold"], float)


def test_the_record_tells_how_outlines_were_made(photos, capsys, spotter, monkeypatch):
    """Whoever resumes goes by it."""
    used = []
    decode = spotter.image_processor.post_process_tiles

    def spy(*maps_and_tiles, polygon_mode=None, **options):
        used.append(polygon_mode or spotter.image_processor.polygon_mode)
        return decode(*maps_and_tiles, polygon_mode=polygon_mode, **options)

    monkeypatch.setattr(spotter.image_processor, "post_process_tiles", spy)
    command = ["read", "photos", "--output", "out", "--format", "json"]
    unfinished = photos.parent / "out" / "b.json"
    for asked in ([], ["--polygon-mode", "polygon"]):
        assert main([*command, *asked]) == 0
        assert json.loads(unfinished.read_text())["params"]["polygon_mode"] == used[-1]
        for same in (asked, ["--polygon-mode", used[-1]]):
            unfinished.unlink()
            assert main([*command, *same, "--resume"]) == 0
    unfinished.unlink()
    assert main([*command, "--resume"]) == 2
    assert "--polygon-mode" in capsys.readouterr().err
    assert set(used) == {"quad", "polygon"}


@pytest.mark.parametrize("photo", ["a", "c"], ids=["words", "blank"])
@pytest.mark.parametrize("charset", ["日", ""])
def test_a_charset_of_nothing_that_is_read_is_one_line(photos, capsys, photo, charset):
    assert main(["read", f"photos/{photo}.png", "--charset", charset, "--output", "out", "--draw"]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("tcm-hf read: error: None of the characters of `charset`")
    assert output.err.count("\n") == 1
    assert written(photos) == []


def test_readings_far_from_the_lexicon_can_be_left_as_they_are(photos, capsys):
    (photos.parent / "words.txt").write_text("abd\nxyz\n")
    arguments = ["read", "photos/a.png", "--lexicon", "words.txt", "--format", "json"]
    main([*arguments, "--max-lexicon-distance", "0.4"])
    (record,) = json.loads(capsys.readouterr().out)
    found = [(word["text"], word.get("edit_distance")) for word in record["instances"]]
    assert found == [("abd", 1), ("cab", None), ("bca", None), ("bbb", None)]
    assert record["params"]["max_lexicon_distance"] == 0.4
    assert_follows(record, shipped_schema("reading-1.json"))
    assert main(["read", "photos/a.png", "--max-lexicon-distance", "0.4"]) == 2
    assert "--max-lexicon-distance needs --lexicon FILE" in capsys.readouterr().err


def test_what_is_read_badly_can_be_left_out(photos, capsys):
    Image.fromarray(painted_photo(("abc", 60, 80, 0))[::-1]).save(photos / "a.png")
    main(["read", "photos/a.png", "--no-rotations", "--recognition-threshold", "0.9"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_bad_lexicon_is_one_line_before_anything_is_loaded(photos, capsys, loaded, content):
    if content is not None:
        (photos.parent / "words.txt").write_bytes(content)
    assert main(["read", "photos", "--lexicon", "words.txt"]) == 2
    error = capsys.readouterr().err
    assert "--lexicon words.txt" in error
    assert error.count("\n") == 1
    assert loaded == []


def test_words_are_drawn_and_printed_beside_the_results(photos, capsys):
    arguments = ["--output", "out", "--format", "json", "--draw", "--print"]
    assert main(["read", "photos/a.png", *arguments]) == 0
    output = capsys.readouterr()
    assert output.out == f"==> photos/a.png <==\n{TEXT_OF_A}\n"
    assert "pictures in out/drawn/" in output.err
    assert written(photos) == ["out/a.json", "out/drawn/.tcm-hf-drawings", "out/drawn/a.jpg"]
    drawn = np.asarray(Image.open(photos.parent / "out" / "drawn" / "a.jpg"))
    assert drawn.shape == (240, 480, 3)


def test_hocr_and_alto_hold_the_words(photos, capsys):
    main(["read", "photos", "--format", "hocr"])
    hocr = ElementTree.fromstring(capsys.readouterr().out)
    words = [span.text for span in hocr.iter() if span.get("class") == "ocrx_word"]
    assert words == ["abc", "cab", "bca", "bbb", "acb"]
    main(["read", "photos", "--format", "alto", "--output", "out"])
    alto = ElementTree.parse(photos.parent / "out" / "a.xml")
    assert [string.get("CONTENT") for string in alto.iter() if "CONTENT" in string.attrib] == words[:4]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "alto"], "a file per image: --output DIR"),
        (["--format", "alto", "--output", "out.xml"], "must be a folder"),
        (["--format", "searchable-pdf"], "--output DIR is needed"),
        (["--resume"], "--resume needs --output"),
    ],
)
def test_what_cannot_be_written_there_is_one_line(photos, capsys, loaded, arguments, told):
    assert main(["read", "photos", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert loaded == []
