"""Photos of Hugging Face datasets: in memory, streamed and from disk."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.corpora.dataset_photos import records_of_dataset
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import CorpusError, Problems
from tcm_hf.data.dataset_words import DatasetWords

datasets = pytest.importorskip("datasets")
QUAD = [[10.0, 5.0], [60.0, 8.0], [59.0, 20.0], [9.0, 17.0]]


def picture(color=10):
    stream = io.BytesIO()
    Image.new("RGB", (96, 64), (color, 20, 30)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": f"{color}.png"}


def dataset(polygons=([QUAD], []), **columns):
    rows = {"image": [picture(number) for number in range(len(polygons))], "polygons": list(polygons)}
    return datasets.Dataset.from_dict({**rows, **columns}).cast_column("image", datasets.Image())


def test_a_row_is_a_record_whose_picture_stays_encoded():
    rows = dataset(texts=[["###"], []], languages=[["Latin"], []], level=["line", None])
    records = records_of_dataset(rows)
    assert len(records) == 2 and [record.name for record in records[:]] == ["0.png", "1.png"]
    first, second = records
    assert isinstance(first.image, bytes) and first.load_image().shape == (64, 96, 3)
    assert (first.texts, first.ignore.tolist(), first.level) == (["###"], [True], "line")
    assert second.instances == [] and second.level == "word"
    np.testing.assert_array_equal(records[-2].polygons_xy[0], QUAD)


def test_boxes_of_object_detection_become_corners_and_anticlockwise_outlines_turn():
    rows = dataset(objects=[{"bbox": [[10, 5, 20, 8]], "category": [0]}] * 2).remove_columns("polygons")
    np.testing.assert_array_equal(
        records_of_dataset(rows)[0].polygons_xy[0], [[10, 5], [30, 5], [30, 13], [10, 13]]
    )
    (turned,) = records_of_dataset(dataset([[[QUAD[0], *QUAD[:0:-1]]]]))
    np.testing.assert_array_equal(turned.polygons_xy[0], QUAD)


def test_a_stream_gives_the_same_records_again_and_again():
    records = load_corpus(dataset().to_iterable_dataset())
    for _ in range(2):
        first, second = records
        np.testing.assert_array_equal(first.polygons_xy[0], QUAD)
        assert first.load_image()[0, 0].tolist() == [0, 20, 30] and second.instances == []


def test_what_load_dataset_gives_of_an_image_folder_streamed_or_not(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (96, 64)).save(folder / "a.png")
    row = {"file_name": "a.png", "polygons": [QUAD], "texts": ["a"], "ignore": [False]}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    for streaming in (False, True):
        rows = datasets.load_dataset(
            "imagefolder",
            data_dir=str(folder),
            split="train",
            streaming=streaming,
            cache_dir=str(tmp_path / "cache"),
        )
        (record,) = load_corpus(rows)
        assert (record.name, record.texts) == ("a.png", ["a"]) and record.load_image().shape == (64, 96, 3)


def test_a_stream_fetches_pictures_that_lie_elsewhere():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/far.png", picture()["bytes"])
    rows = datasets.Dataset.from_dict({"image": [{"path": "memory://far.png"}], "polygons": [[QUAD]]})
    (record,) = records_of_dataset(rows)
    assert record.name == "far.png" and record.load_image().shape == (64, 96, 3)


def test_words_are_words_and_a_dict_of_parts_is_refused():
    words = datasets.Dataset.from_dict({"image": [picture()], "text": ["a"]})
    assert isinstance(records_of_dataset(words.cast_column("image", datasets.Image())), DatasetWords)
    with pytest.raises(ValueError, match="got the parts train"):
        records_of_dataset(datasets.DatasetDict(train=words))
    with pytest.raises(ValueError, match="Expected the columns image and polygons"):
        records_of_dataset(dataset().remove_columns("image"))


def test_broken_rows_of_a_saved_dataset_are_named(tmp_path):
    rows = dataset([[QUAD], [QUAD[:2]], [QUAD]], texts=[["a"], ["b"], ["c", "d"]])
    rows.save_to_disk(str(tmp_path / "saved"))
    problems = Problems()
    records = load_corpus(tmp_path / "saved", problems=problems)
    assert [record.texts for record in records] == [["a"]]
    assert [problem.reason for problem in problems] == [
        "row 2: polygon 0 needs 3 points or more, got 2",
        "row 3: expected one of `texts` a polygon, got 2 for 1",
    ]
    with pytest.raises(CorpusError):
        load_corpus(tmp_path / "saved")
    with pytest.raises(ValueError, match="Row 2 of the dataset is no annotated photo: polygon 0 needs"):
        records_of_dataset(rows)[1]


def test_a_saved_dict_has_parts(tmp_path):
    datasets.DatasetDict(train=dataset(), test=dataset([[QUAD]])).save_to_disk(str(tmp_path / "saved"))
    assert len(load_corpus(f"{tmp_path / 'saved'}@test")) == 1
    with pytest.raises(ValueError, match="has the parts train, test"):
        load_corpus(tmp_path / "saved")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dataset_info.json", {"features": None}),
        ("dataset_info.json", {"features": 5}),
        ("dataset_info.json", [1]),
        ("dataset_dict.json", {"splits": [1]}),
        ("dataset_dict.json", {"splits": 5}),
        ("dataset_dict.json", {"splits": None}),
    ],
)
def test_a_damaged_description_is_no_dataset(tmp_path, file, content):
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no corpus that we know"):
        load_corpus(tmp_path)


@pytest.mark.parametrize("name", ["../other", "/etc", "", "..", "a/../../b"])
def test_the_name_of_a_part_leads_nowhere_else(tmp_path, name):
    dataset([[QUAD]]).save_to_disk(str(tmp_path / "other"))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(ValueError, match="no corpus that we know"):
        load_corpus(tmp_path / "saved")


def test_a_row_without_a_picture_is_named():
    for nothing in (None, {"bytes": None, "path": None}):
        records = records_of_dataset(
            [{"image": picture(), "polygons": []}, {"image": nothing, "polygons": []}]
        )
        assert records[0].load_image().shape == (64, 96, 3)
        with pytest.raises(ValueError, match="Row 2 of the dataset has no picture"):
            records[1]


def test_broken_rows_of_a_dataset_are_collected_and_a_part_is_chosen():
    rows = dataset([[QUAD], [QUAD[:2]], []])
    problems = Problems()
    assert [len(record.instances) for record in load_corpus(rows, problems=problems)] == [1, 0]
    stream = load_corpus(rows.to_iterable_dataset(), problems=problems)
    assert [len(record.instances) for record in stream] == [1, 0]
    assert [problem.reason[:5] for problem in problems] == ["row 2", "row 2"]
    parts = datasets.DatasetDict(train=rows, test=dataset([[QUAD]]))
    assert len(load_corpus(parts, split="test")) == 1


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (5, {}, "Expected a path or a dataset: got int"),
        ([{"image": None, "polygons": []}], {"corpus": "coco"}, "leave out corpus='coco'"),
        ([{"image": None, "polygons": []}], {"split": "test"}, "no part 'test': it has one part only"),
        ({"train": []}, {"split": "val"}, "got the parts train"),
    ],
)
def test_what_means_nothing_for_a_dataset_is_refused(source, options, message):
    with pytest.raises(ValueError, match=message):
        load_corpus(source, **options)


def test_a_list_of_anything_else_is_no_dataset():
    with pytest.raises(ValueError, match="expected a row of columns, got '1'"):
        list(load_corpus([1]))
