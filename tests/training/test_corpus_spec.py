import json
import pickle
from collections.abc import Sequence

import pytest

from tcm_hf.cli.generating import SETTINGS_FILE
from tcm_hf.data.corpora import loading
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.records import TextRecord
from tcm_hf.training import corpus_spec
from tcm_hf.training.corpus_spec import AnyCorpusSpec, CorpusSpec, NothingThereError, file_number


@pytest.fixture
def corpus(tmp_path):
    names = [f"img_{number}.jpg" for number in (1, 2, 10, 900, 901)] + ["cover.jpg"]
    rows = [json.dumps({"file_name": name, "polygons": [], "ignore": []}) for name in names]
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        pytest.param(
            "", ["img_1.jpg", "img_2.jpg", "img_10.jpg", "img_900.jpg", "img_901.jpg", "cover.jpg"], id="all"
        ),
        pytest.param(
            ":1-900", ["img_1.jpg", "img_2.jpg", "img_10.jpg", "img_900.jpg"], id="both ends included"
        ),
        pytest.param(":901-1000", ["img_901.jpg"], id="may reach beyond the last"),
        pytest.param(":2-2", ["img_2.jpg"], id="one file, not those that begin with 2"),
    ],
)
def test_a_range_picks_files_by_their_number(corpus, numbers, names):
    records = CorpusSpec.parse(f"{corpus}{numbers}").records()
    assert [record.name for record in records] == names


@pytest.mark.parametrize(
    ("name", "number"), [("img_900.webp", 900), ("2024_photo_7.jpg", 7), ("cover.jpg", -1), ("a1.b2", 1)]
)
def test_the_number_of_a_file_is_its_last_run_of_digits(name, number):
    assert file_number(name) == number


@pytest.mark.parametrize(
    ("numbers", "message"),
    [(":5-3", "runs backwards"), (":5000-6000", "No file"), (":a-b", "is not there")],
)
def test_a_wrong_range_is_named(corpus, numbers, message):
    with pytest.raises(ValueError, match=message):
        CorpusSpec.parse(f"{corpus}{numbers}").records()


def test_images_that_are_not_there_are_named_unless_the_range_leaves_them_out(corpus):
    (corpus / "img_900.jpg").unlink()
    assert len(CorpusSpec.parse(f"{corpus}:1-10").records()) == 3
    with pytest.raises(ValueError, match=r"name 1 images .*img_900\.jpg"):
        CorpusSpec.parse(f"{corpus}:1-900").records()


def test_a_folder_of_tcm_hf_synth_is_known_as_generated(corpus):
    assert not CorpusSpec.parse(str(corpus)).is_generated
    (corpus / SETTINGS_FILE).write_text("{}")
    assert CorpusSpec.parse(str(corpus)).is_generated


@pytest.mark.parametrize("numbers", ["", ":1-900"])
def test_a_corpus_is_printed_as_it_is_given(corpus, numbers):
    assert str(CorpusSpec.parse(f"{corpus}{numbers}")) == f"{corpus}{numbers}"


def test_an_empty_file_of_annotations_is_told_apart_from_a_range_that_holds_none(tmp_path):
    (tmp_path / "metadata.jsonl").touch()
    with pytest.raises(ValueError, match="are empty"):
        CorpusSpec(tmp_path, corpus="imagefolder").records()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{}", "no corpus that we know: it holds nothing. `tcm-hf data list` says how"),
        ("", "got nothing"),
        ("{}/nowhere", "nowhere is not there"),
        ("imagefolder:{}/nowhere", "nowhere is not there"),
        ("icdar2051:{}", "no corpus 'icdar2051': expected one of icdar2015"),
    ],
)
def test_a_folder_without_annotations_is_named(tmp_path, source, message):
    with pytest.raises(ValueError, match=message):
        CorpusSpec.parse(source.format(tmp_path))


def quads(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"1,2,21,2,21,12,1,12,{text}\n" for text in texts))


@pytest.fixture
def parted(tmp_path):
    """ICDAR 2015 as it is downloaded, annotations only."""
    for number in (1, 2, 10):
        quads(tmp_path / "ch4_training_localization_transcription_gt" / f"gt_img_{number}.txt", ["a", "###"])
    quads(tmp_path / "Challenge4_Test_Task1_GT" / "gt_img_1.txt", ["test"])
    return tmp_path


def test_corpus_and_part_are_named_and_a_range_is_behind_them(parted):
    spec = CorpusSpec.parse(f"icdar2015:{parted}@train:2-10")
    assert spec == CorpusSpec(parted, (2, 10), "icdar2015", "train")
    assert str(spec) == f"icdar2015:{parted}@train:2-10"
    assert [record.name for record in spec.annotations()] == ["img_2.jpg", "img_10.jpg"]
    assert [record.texts for record in CorpusSpec.parse(f"{parted}@test").annotations()] == [["test"]]
    with pytest.raises(ValueError, match=r"name 2 images that are not there, the first is img_2\.jpg"):
        spec.records()


def test_parts_are_never_mixed_by_chance(parted):
    with pytest.raises(ValueError, match="has the parts train, test: name one"):
        CorpusSpec.parse(str(parted))
    with pytest.raises(ValueError, match="no part 'val': it has the parts train, test"):
        CorpusSpec.parse(f"{parted}@val")


def test_broken_rows_are_an_error_or_collected(parted):
    file = parted / "Challenge4_Test_Task1_GT" / "gt_img_1.txt"
    file.write_text("1,2,3\n1,2,21,2,21,12,1,12,whole\n")
    spec = CorpusSpec.parse(f"{parted}@test")
    with pytest.raises(ValueError, match=r"gt_img_1\.txt, line 1: expected 8 coordinates"):
        spec.annotations()
    problems = Problems()
    assert spec.annotations(problems)[0].texts == ["whole"]
    assert [problem.line for problem in problems] == [1]


def test_another_kind_of_corpus_is_refused(tmp_path):
    (tmp_path / "gt.txt").write_text("word_1.png, A\n")
    with pytest.raises(ValueError, match=r"Expected photos with outlines of texts: .* holds crops of words"):
        CorpusSpec.parse(str(tmp_path))


def test_some_of_a_large_corpus_are_read_one_by_one(corpus, monkeypatch):
    """A corpus that is no list (SynthText) must not become one."""
    asked = []

    class Large(Sequence):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            asked.append(index)
            return TextRecord(corpus / f"img_{index}.jpg")

    monkeypatch.setattr(CorpusSpec, "_load", lambda self, problems: Large())
    records = CorpusSpec(corpus, (900, 901)).annotations()
    asked.clear()
    assert not isinstance(records, list) and len(records) == 2
    assert records[1].name == "img_901.jpg" and records[:1][0].name == "img_900.jpg"
    assert asked == [901, 900]


def test_a_corpus_is_recognised_once(corpus, monkeypatch):
    asked = []
    recognise = loading.recognise
    monkeypatch.setattr(loading, "recognise", lambda *args: asked.append(args) or recognise(*args))
    monkeypatch.setattr(corpus_spec, "recognise", loading.recognise)
    spec = CorpusSpec.parse(f"{corpus}:1-10")
    assert len(spec.records()) == 3 and len(asked) == 1
    assert pickle.loads(pickle.dumps(spec)) == spec
    several = AnyCorpusSpec.parse(str(corpus))
    assert several.parts() == several.parts() and len(asked) == 2


@pytest.mark.parametrize("name", ["photos:1-9", "od@d:1-9"])
def test_a_folder_may_have_a_name_that_looks_like_a_range(corpus, name):
    folder = corpus.rename(corpus.parent / name)
    spec = CorpusSpec.parse(str(folder))
    assert (spec.folder, spec.numbers, len(spec.records())) == (folder, None, 6)
    assert len(CorpusSpec.parse(f"{folder}:1-2").records()) == 2


def test_an_empty_part_is_told_whatever_was_broken_before(tmp_path):
    (tmp_path / "metadata.jsonl").touch()
    problems = Problems()
    problems.add("another.jsonl", 1, "broken")
    with pytest.raises(NothingThereError, match="are empty"):
        CorpusSpec(tmp_path, corpus="imagefolder").annotations(problems)
