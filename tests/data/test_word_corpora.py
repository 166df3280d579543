"""Recognition corpora: every kind is recognised and gives the same words; what is broken is named."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.word_corpora import DatasetWords, load_words, read_word_labels
from tcm_hf.data.words import WordRecord, write_lmdb

# A comma, quotes, a space and a letter beyond ASCII are where label formats differ.
TEXTS = ["Tiredness", "1,50", '"Café"', "a b"]


@pytest.fixture
def crops(tmp_path):
    """A folder with a landscape crop a word, each of its own colour."""
    folder = tmp_path / "crops"
    folder.mkdir()
    for number in range(len(TEXTS)):
        Image.new("RGB", (40, 12), (20 * number, 0, 200)).save(folder / f"word_{number + 1}.png")
    return folder


def names(folder):
    return [f"word_{number + 1}.png" for number in range(len(TEXTS))]


def write_metadata(folder):
    rows = [{"file_name": name, "text": text} for name, text in zip(names(folder), TEXTS, strict=True)]
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def write_csv(folder):
    (folder / "metadata.csv").write_text(
        'file_name,text\nword_1.png,Tiredness\nword_2.png,"1,50"\nword_3.png,"""Café"""\nword_4.png,a b\n'
    )
    return folder


def write_tabs(folder):
    lines = [f"{name}\t{text}\r\n" for name, text in zip(names(folder), TEXTS, strict=True)]
    (folder / "labels.txt").write_text("".join(lines), encoding="utf-8-sig", newline="")
    return folder


def write_spaces(folder):
    lines = [f"{name} {text}\n" for name, text in zip(names(folder), TEXTS, strict=True)]
    (folder / "labels.txt").write_text("".join(lines))
    return folder


def write_icdar(folder):
    quoted = [text.replace('"', r"\"") for text in TEXTS]
    lines = [f'{name}, "{text}"\n' for name, text in zip(names(folder), quoted, strict=True)]
    (folder / "gt.txt").write_text("".join(lines), "utf-8-sig")
    return folder


def write_data_base(folder):
    pytest.importorskip("lmdb")
    records = [WordRecord(folder / name, text) for name, text in zip(names(folder), TEXTS, strict=True)]
    path = folder.parent / "words.lmdb"
    write_lmdb(path, records)
    return path


def hugging_face_dataset(folder):
    datasets = pytest.importorskip("datasets")
    columns = {"image": [str(folder / name) for name in names(folder)], "label": TEXTS}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    return datasets.Dataset.from_dict(columns, features=features)


def saved_dataset(folder):
    path = folder.parent / "saved"
    hugging_face_dataset(folder).save_to_disk(path)
    return path


@pytest.mark.parametrize(
    "make",
    [
        write_metadata,
        write_csv,
        write_tabs,
        write_spaces,
        write_icdar,
        write_data_base,
        hugging_face_dataset,
        saved_dataset,
    ],
)
def test_every_kind_gives_the_same_words(crops, make):
    words = load_words(make(crops))
    assert [words[index].text for index in range(len(words))] == TEXTS
    for number in range(len(words)):
        image = words[number].load_image()
        assert image.shape == (12, 40, 3)
        assert image[5, 5].tolist() == [20 * number, 0, 200]


def test_the_label_file_itself_may_be_named(crops):
    assert len(load_words(write_icdar(crops) / "gt.txt")) == 4
    assert len(load_words(write_metadata(crops) / "metadata.jsonl")) == 4


def test_names_are_those_of_the_label_file(crops):
    (crops / "part").mkdir()
    (crops / "word_1.png").rename(crops / "part" / "first word.png")
    (crops / "gt.txt").write_text("part/first word.png, A\nword_2.png, B\n")
    assert [word.name for word in load_words(crops)] == ["part/first word.png", "word_2.png"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('word_1.png, "Tiredness"', ("word_1.png", "Tiredness")),
        (r'word_2.png, "a\"b\\c"', ("word_2.png", r'a"b\c')),
        ('w.jpg, ","', ("w.jpg", ",")),
        ('w.jpg, """', ("w.jpg", '"')),
        ("w.jpg,plain, with comma", ("w.jpg", "plain, with comma")),
        ('w.JPEG\t"quotes stay"', ("w.JPEG", '"quotes stay"')),
        ("a b/c.d.png x.png", ("a b/c.d.png", "x.png")),
        ("w.png x", ("w.png", "x")),
        ("w.png\t x", ("w.png", " x")),
        ("w.png,", ("w.png", "")),
    ],
)
def test_a_line_of_a_label_file(tmp_path, line, expected):
    path = tmp_path / "gt.txt"
    path.write_text(f"\n{line}\n", "utf-8-sig")
    assert read_word_labels(path) == [(2, expected)]


def test_words_nobody_could_read_are_left_out(crops):
    rows = [("word_1.png", "###"), ("word_2.png", None), ("word_3.png", "yes")]
    lines = [json.dumps({"file_name": name, "text": text}) for name, text in rows]
    (crops / "metadata.jsonl").write_text("\n".join(lines))
    assert [word.text for word in load_words(crops)] == ["yes"]


def test_words_of_annotated_photos_are_cut_out(tmp_path):
    photo = np.zeros((90, 160, 3), np.uint8)
    photo[20:40, 30:110] = 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    box, other = [[30, 20], [110, 20], [110, 40], [30, 40]], [[0, 50], [20, 50], [20, 60], [0, 60]]
    row = {"file_name": "photo.png", "polygons": [box, other], "texts": ["white", "###"]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    (word,) = load_words(tmp_path)
    assert word.text == "white"
    assert word.load_image().shape == (20, 80, 3)
    assert word.load_image().min() > 200


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("gt.txt", "word_1.png, A\nnonsense\n", "gt.txt, line 2: expected an image file and its text"),
        ("gt.txt", "gone.png, A\n", "name 1 images that are not there, the first is gone.png"),
        ("gt.txt", 'word_1.png, ""\n', "line 1: the text of word_1.png is empty"),
        ("gt.txt", "word_1.png A\n" + "x\n" * 5, "line 4: .*; and 2 more. Mend or drop"),
        ("metadata.jsonl", '{"file_name": "word_1.png"}', "line 1: 'text' is missing"),
        ("metadata.jsonl", '\n{"file_name": "word_1.png", "text": 5}', "line 2: expected `text` as text"),
        ("metadata.jsonl", "[1]", "line 1: not a row of metadata"),
        ("metadata.jsonl", '{"file_name": ', "line 1: not a row of metadata"),
        ("metadata.csv", "file_name,label\nword_1.png,A\n", "line 2: 'text' is missing"),
        ("other.xml", "", r"is no corpus that we know: it holds 4 .png files, 1 .xml file such"),
        ("labels.txt", "Label\nTxt\n", "is no corpus that we know"),
    ],
)
def test_what_is_broken_is_named(crops, file, content, message):
    (crops / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        load_words(crops)


def test_a_file_of_another_encoding_is_named(crops):
    (crops / "gt.txt").write_bytes("word_1.png, Café".encode("latin-1"))
    with pytest.raises(ValueError, match=r"gt\.txt, line 1: expected UTF-8"):
        load_words(crops)


def test_a_folder_of_data_bases_has_each_as_a_part(crops):
    write_data_base(crops)
    crops.parent.joinpath("words.lmdb").rename(crops / "IIIT5k")
    assert len(load_words(crops)) == 4  # there is but one
    write_data_base(crops)
    (crops / "MJ").mkdir()
    crops.parent.joinpath("words.lmdb").rename(crops / "MJ" / "MJ_test")
    with pytest.raises(ValueError, match="has the parts IIIT5k, MJ/MJ_test: name one"):
        load_words(crops)
    assert [word.text for word in load_words(f"{crops}@MJ/MJ_test")] == TEXTS


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not there"):
        load_words(tmp_path / "nowhere")


def test_a_dataset_without_such_columns_is_named(crops):
    dataset = hugging_face_dataset(crops)
    with pytest.raises(ValueError, match=r"column of texts .*: got the columns image, other"):
        load_words(dataset.rename_column("label", "other"))
    with pytest.raises(ValueError, match=r"Expected one part of a dataset: got a dict of 'train'"):
        load_words({"train": dataset})
    with pytest.raises(ValueError, match="got list"):
        load_words([1])


def test_columns_of_a_dataset_may_be_chosen_and_workers_may_have_it(crops):
    dataset = hugging_face_dataset(crops).rename_columns({"image": "crop", "label": "says"})
    words = pickle.loads(pickle.dumps(DatasetWords(dataset, text_column="says")))
    assert words[-1].text == "a b"
    assert [word.name for word in words[:2]] == ["word_1.png", "word_2.png"]


def test_an_empty_row_of_a_dataset_is_named(crops):
    dataset = hugging_face_dataset(crops).map(
        lambda row, place: {"label": None if place == 1 else "x"}, with_indices=True
    )
    assert [word.text for word in load_words(dataset)] == ["x", "x", "x"]  # as of any other corpus
    words = DatasetWords(dataset)
    assert words[0].text == "x"
    with pytest.raises(ValueError, match="Row 1 of the dataset"):
        words[1]
