import json

import pytest

from tcm_hf.cli.generating import SETTINGS_FILE
from tcm_hf.training.corpus_spec import CorpusSpec, file_number


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
    [(":5-3", "runs backwards"), (":5000-6000", "No file"), (":a-b", "metadata.jsonl")],
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
        CorpusSpec.parse(str(tmp_path)).records()


def test_a_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"metadata\.jsonl"):
        CorpusSpec.parse(str(tmp_path))
