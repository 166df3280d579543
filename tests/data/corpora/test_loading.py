"""`load_corpus`: named or recognised; parts have to be named; broken rows are collected or raised."""

import json

import pytest

from tcm_hf.data.corpora.loading import load_corpus, parse_source, recognise
from tcm_hf.data.corpora.problems import CorpusError, Problem, Problems
from tcm_hf.data.corpora.table import CORPORA, corpus_named

LINE = "10,5,60,8,59,20,9,17,{}\n"


@pytest.fixture
def ic15(tmp_path):
    """ICDAR 2015 as the organisers' archives unpack, two photos and one."""
    for labels, images, count in (
        ("ch4_training_localization_transcription_gt", "ch4_training_images", 2),
        ("Challenge4_Test_Task1_GT", "ch4_test_images", 1),
    ):
        (tmp_path / labels).mkdir()
        (tmp_path / images).mkdir()
        for number in range(1, count + 1):
            (tmp_path / labels / f"gt_img_{number}.txt").write_text(LINE.format(f"word {number}"))
    return tmp_path


def test_a_corpus_is_recognised_and_its_part_named(ic15):
    assert recognise(ic15).name == "icdar2015"
    records = load_corpus(f"{ic15}@train")
    assert [record.name for record in records] == ["img_1.jpg", "img_2.jpg"]
    assert records[0].image == ic15 / "ch4_training_images" / "img_1.jpg"
    assert len(load_corpus(f"icdar2015:{ic15}@test")) == 1
    assert len(load_corpus(ic15, corpus="ICDAR2015", split="test")) == 1


def test_several_parts_are_never_mixed(ic15):
    with pytest.raises(ValueError, match=r"has the parts train, test: name one, as in .*@train"):
        load_corpus(ic15)
    with pytest.raises(ValueError, match="no part 'val': it has the parts train, test"):
        load_corpus(f"{ic15}@val")


def test_a_folder_of_one_part_needs_no_name(ic15):
    folder = ic15 / "Challenge4_Test_Task1_GT"
    (record,) = load_corpus(folder)
    assert record.texts == ["word 1"] and record.image == folder / "img_1.jpg"
    with pytest.raises(ValueError, match="one part only"):
        load_corpus(folder, split="test")


def test_a_path_that_is_there_is_taken_as_it_is(ic15):
    folder = ic15.parent / "totaltext:odd@train"
    ic15.rename(folder)
    assert parse_source(str(folder)) == (None, folder, None)
    assert parse_source(f"icdar2015:{folder}@test") == (corpus_named("icdar2015"), folder, "test")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere is not there"),
        ("icdar2051:nowhere", "no corpus 'icdar2051': expected one of icdar2015"),
        ("{}/empty", r"is no corpus that we know: it holds nothing\. `tcm-hf data list` says how"),
    ],
)
def test_what_is_not_there_or_not_known_is_named(tmp_path, source, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        load_corpus(source.format(tmp_path))


def test_what_could_be_two_corpora_has_to_be_named(ic15):
    row = {"file_name": "img_1.jpg", "polygons": []}
    (ic15 / "metadata.jsonl").write_text(json.dumps(row))
    with pytest.raises(ValueError, match="could be icdar2015, imagefolder: name one, as in icdar2015:"):
        load_corpus(ic15)
    assert len(load_corpus(f"imagefolder:{ic15}")) == 1


def test_broken_rows_are_an_error_or_a_list(ic15):
    path = ic15 / "Challenge4_Test_Task1_GT" / "gt_img_1.txt"
    path.write_text("a\n" + LINE.format("good") + "1,2,3\n4\n5\n")
    with pytest.raises(
        CorpusError, match=r"gt_img_1\.txt, line 1: expected 8 .*; and 1 more\. Mend"
    ) as error:
        load_corpus(f"{ic15}@test")
    problems = Problems()
    (record,) = load_corpus(f"{ic15}@test", problems=problems)
    assert record.texts == ["good"]
    assert [problem.line for problem in problems] == [1, 3, 4, 5]
    assert problems == error.value.problems
    assert problems[0] == Problem(path, 1, "expected 8 coordinates and a text, got 1 values: 'a'")


def test_corpora_have_names_of_their_own_and_say_how_they_lie_on_disk():
    assert len({corpus.name for corpus in CORPORA}) == len(CORPORA)
    for corpus in CORPORA:
        assert corpus.title and corpus.layout and corpus.homepage.startswith("http"), corpus.name


def test_no_recogniser_trips_over_what_it_does_not_know(tmp_path):
    (tmp_path / "gt_1.txt").write_bytes(b"\xff\xfe\x00broken")
    (tmp_path / "notes.json").write_text("{")
    (tmp_path / "folder.txt").mkdir()
    for path in (tmp_path, tmp_path / "gt_1.txt", tmp_path / "notes.json", tmp_path / "folder.txt"):
        assert [corpus.name for corpus in CORPORA if corpus.recognises(path)] == []


def test_empty_label_files_do_not_hide_a_corpus(tmp_path):
    for number in range(1, 40):
        text = "" if number < 30 else LINE.format(f"word {number}")
        (tmp_path / f"gt_img_{number}.txt").write_text(text)
    records = load_corpus(tmp_path)
    assert [record.name for record in records][::13] == ["img_1.jpg", "img_14.jpg", "img_27.jpg"]
    assert sum(len(record.instances) for record in records) == 10


def test_parts_that_are_corpora_of_their_own_are_named(ic15, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    (ic15 / "Challenge4_Test_Task1_GT").rename(folder / "test")
    with pytest.raises(ValueError, match=r"Its parts can be read one by one: icdar2015:.*parts.*/test\."):
        load_corpus(folder)
