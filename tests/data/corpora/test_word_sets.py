"""Word recognition sets: ICDAR's downloads, LMDBs and folders of them, folders of crops with parts."""

import json

import pytest

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.words import LMDBWords, WordRecord, write_lmdb
from tcm_hf.training.recognition_words import WordSpec

LABELS = {
    "icdar2013-words": ("Challenge2_Training_Task3_Images_GT", "Challenge2_Test_Task3_GT.txt"),
    "icdar2015-words": ("ch4_training_word_images_gt", "Challenge4_Test_Task3_GT.txt"),
}


@pytest.mark.parametrize("name", LABELS)
def test_icdars_word_sets_are_known_by_their_folders(tmp_path, name):
    train, test = LABELS[name]
    (tmp_path / train).mkdir()
    (tmp_path / train / "gt.txt").write_text('word_1.png, "Tiredness"\n', "utf-8-sig")
    (tmp_path / test).write_text('word_1.png, "a\\"b"\nword_2.png\n')
    assert recognise(tmp_path).name == name
    (word,) = load_corpus(f"{tmp_path}@train")
    assert (word.text, word.image) == ("Tiredness", tmp_path / train / "word_1.png")
    problems = Problems()
    (word,) = load_corpus(f"{name}:{tmp_path}@test", problems=problems)
    assert word.text == 'a"b'
    assert word.image.parent.name.startswith(("Challenge2_Test_Task3_Images", "ch4_test_word_images"))
    assert [(problem.path.name, problem.line) for problem in problems] == [(test, 2)]
    assert recognise(tmp_path / train).name == "words"  # the part alone


@pytest.fixture
def databases(tmp_path):
    pytest.importorskip("lmdb")
    for path in ("evaluation/CUTE80", "training/MJ/MJ_train"):
        (tmp_path / path).parent.mkdir(parents=True)
        write_lmdb(tmp_path / path, [WordRecord(b"not decoded", path[:4])])
    return tmp_path


def test_a_folder_of_data_bases_has_them_as_parts(databases):
    corpus = recognise(databases)
    assert corpus.name == "str-lmdb"
    assert corpus.splits(databases) == ["evaluation/CUTE80", "training/MJ/MJ_train"]
    words = load_corpus(f"{databases}@training/MJ/MJ_train")
    assert isinstance(words, LMDBWords) and words.text(0) == "trai"
    assert len(load_corpus(databases / "evaluation")) == 1
    assert corpus.splits(databases / "evaluation" / "CUTE80") == []


def test_a_data_base_in_one_file_is_known_by_its_first_bytes(databases):
    path = databases / "words.lmdb"
    (databases / "evaluation" / "CUTE80" / "data.mdb").rename(path)
    assert load_corpus(path).text(0) == "eval"


def test_words_without_a_transcription_are_left_out_of_a_data_base(tmp_path):
    pytest.importorskip("lmdb")
    write_lmdb(tmp_path / "db", [WordRecord(b"not decoded", text) for text in ("a", "", "###", "# b")])
    words = load_corpus(tmp_path / "db")
    assert [(word.text, word.name[-1]) for word in words] == [("a", "1"), ("# b", "4")]
    # Numbers are those of the samples, whatever is left out.
    assert [word.text for word in WordSpec.parse(f"{tmp_path / 'db'}:2-4").records()] == ["# b"]


def test_words_without_a_transcription_are_left_out_of_a_dataset(tmp_path):
    datasets = pytest.importorskip("datasets")
    picture = {"bytes": b"not decoded", "path": None}
    rows = {"image": [picture] * 4, "text": ["a", "", "###", None]}
    dataset = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    assert [word.text for word in load_corpus(dataset)] == ["a"]
    dataset.save_to_disk(str(tmp_path / "saved"))
    assert [word.text for word in load_corpus(tmp_path / "saved")] == ["a"]


def metadata(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_folders_of_crops_may_have_parts(tmp_path):
    metadata(tmp_path / "train", {"file_name": "1.png", "text": "a"})
    metadata(tmp_path / "test", {"file_name": "1.png", "text": "b"})
    metadata(tmp_path / "valid", {"file_name": "1.png", "text": "c"})
    assert recognise(tmp_path).splits(tmp_path) == ["test", "train", "valid"]
    (word,) = load_corpus(f"{tmp_path}@test")
    assert (word.text, word.image) == ("b", tmp_path / "test" / "1.png")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.jsonl", '{"file_name": "1.jpg", "polygons": [], "texts": []}'),
        ("metadata.jsonl", ""),
        ("gt.txt", "377,117,463,117,465,130,378,130,Genaxis Theatre\n"),
        ("labels.txt", "timage/001.jpg RONALDO 1 RONALDO\n"),
        ("labels.txt", '1.jpg\t[{"transcription": "a", "points": []}]\n'),
        ("dataset_info.json", '{"features": {"image": {}, "polygons": {}, "texts": {}}}'),
    ],
)
def test_what_other_corpora_read_is_no_folder_of_crops(tmp_path, name, content):
    from tcm_hf.data.corpora.word_folders import WORDS

    (tmp_path / name).write_text(content)
    assert not WORDS.recognises(tmp_path)
