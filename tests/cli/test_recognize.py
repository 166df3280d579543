import csv
import io
import json

import pytest
from PIL import Image

from json_schema import assert_follows, shipped_schema
from planted_words import colour_pipeline, painted_word
from tcm_hf.cli import recognize
from tcm_hf.cli.main import main
from tcm_hf.results import records as record_module


@pytest.fixture(scope="module")
def recognizer():
    return colour_pipeline()


@pytest.fixture(autouse=True)
def loaded(monkeypatch, recognizer):
    made = []

    def load(_):
        made.append(recognizer)
        return recognizer

    monkeypatch.setattr(recognize, "_load_recognizer", load)
    return made


@pytest.fixture
def crops(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crops").mkdir()
    for text in ("abc", "cab", "bbb"):
        Image.fromarray(painted_word(text)).save(tmp_path / "crops" / f"{text}.png")
    return tmp_path / "crops"


LINES = "crops/abc.png\tabc\ncrops/bbb.png\tbbb\ncrops/cab.png\tcab\n"


def test_one_crop_is_one_word(crops, capsys):
    assert main(["recognize", "crops/cab.png"]) == 0
    output = capsys.readouterr()
    assert output.out == "cab\n"
    assert output.err == "tcm-hf recognize: 1 words in 1 images, 0 failed; results in stdout\n"


def test_several_crops_come_with_their_paths(crops, capsys):
    assert main(["recognize", "crops", "--quiet", "--batch-size", "2"]) == 0
    assert capsys.readouterr().out == LINES


def test_broken_crops_are_named_and_skipped(crops, capsys):
    (crops / "broken.png").write_bytes(b"")
    assert main(["recognize", "crops"]) == 3
    output = capsys.readouterr()
    assert output.out == LINES
    assert "skipped crops/broken.png: " in output.err


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_tables_have_a_head_and_a_row_a_crop(crops, capsys, name, delimiter):
    main(["recognize", "crops", "--format", name])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out), delimiter=delimiter))
    assert rows[0] == ["path", "text", "score"]
    assert [row[1] for row in rows[1:]] == ["abc", "bbb", "cab"]
    assert all(0.99 < float(row[2]) <= 1 for row in rows[1:])


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_tables_hold_any_word(delimiter):
    texts = ['say "hi"', "a,b", "a\tb", "日本語", "", "a\nb"]
    records = [record(text) for text in texts]
    rows = csv.reader(io.StringIO(recognize.render_table(records, delimiter)), delimiter=delimiter)
    assert [row[1] for row in rows][1:] == texts


def record(text):
    source = {"path": "a.png", "width": 100, "height": 32}
    model = {"id": "clip4str-tiny", "dtype": "float32", "device": "cpu"}
    return {
        **record_module.record_header(record_module.RECOGNITIONS, source, model, {}),
        "text": text,
        "score": 0.5,
    }


def test_records_follow_the_schema(crops, capsys):
    (crops.parent / "words.txt").write_text("abc\ncab\n")
    main(["recognize", "crops", "--format", "json", "--characters", "--lexicon", "words.txt"])
    records = json.loads(capsys.readouterr().out)
    main(["recognize", "crops/abc.png", "--format", "jsonl"])
    records.append(json.loads(capsys.readouterr().out))
    schema = shipped_schema("recognition-1.json")
    for one in records:
        assert_follows(one, schema)
    assert records[0]["source"] == {"path": "crops/abc.png", "width": 120, "height": 32}
    assert records[0]["params"]["lexicon"] == "words.txt"
    assert len(records[0]["characters"]) == 3
    assert "characters" not in records[-1]
    assert schema["$id"] == record_module.RECOGNITIONS.schema


@pytest.mark.parametrize("charset", ["日", ""])
def test_a_charset_of_nothing_that_is_read_is_one_line(crops, capsys, charset):
    assert main(["recognize", "crops", "--charset", charset]) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert output.err.startswith("tcm-hf recognize: error: None of the characters of `charset`")


@pytest.mark.parametrize("name", ["out.txt", "out.json", "out.jsonl", "out.csv", "out.tsv"])
def test_a_finished_run_is_not_done_again(crops, capsys, loaded, name):
    assert main(["recognize", "crops", "--output", name]) == 0
    assert capsys.readouterr().out == ""
    finished = (crops.parent / name).read_text()
    assert "abc" in finished
    loaded.clear()
    assert main(["recognize", "crops", "--output", name, "--resume"]) == 0
    assert loaded == []
    assert (crops.parent / name).read_text() == finished
    assert main(["recognize", "crops", "--output", name, "--resume", "--charset", "ab"]) == 2
    assert "--charset" in capsys.readouterr().err


def test_a_folder_as_output_gets_a_file_of_all_words_or_one_a_crop(crops):
    main(["recognize", "crops", "--output", "out"])
    assert (crops.parent / "out" / "recognitions.txt").read_text() == LINES
    main(["recognize", "crops", "--output", "json", "--format", "json"])
    assert json.loads((crops.parent / "json" / "cab.json").read_text())["text"] == "cab"
