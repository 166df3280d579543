import io
import multiprocessing
import pickle
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data import words
from tcm_hf.data.records import TextInstance, TextRecord
from tcm_hf.data.words import LMDBWords, WordRecord, append_lmdb, encode_word, word_crops, write_lmdb

lmdb = pytest.importorskip("lmdb", reason="the extra `words` is not installed")


def picture(value: int = 0, size_hw: tuple[int, int] = (6, 20)) -> np.ndarray:
    """A landscape gradient that JPEG keeps nearly as it is."""
    columns = np.linspace(0, 200, size_hw[1], dtype=np.uint8)
    return np.broadcast_to(columns[None, :, None] + np.uint8(value), (*size_hw, 3)).copy()


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def raw(path, values: dict[bytes, bytes]) -> None:
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key, value)


# --- the record ---


def test_all_kinds_of_images_give_the_same_pixels(tmp_path):
    image = picture()
    Image.fromarray(image).save(tmp_path / "word.png")
    kinds = [image, Image.fromarray(image), tmp_path / "word.png", str(tmp_path / "word.png"), png(image)]
    for kind in kinds:
        np.testing.assert_array_equal(WordRecord(kind, "x").load_image(), image)
    assert WordRecord(str(tmp_path / "word.png"), "x").name == "word.png"


def test_broken_bytes_are_an_error_that_names_the_word():
    with pytest.raises(ValueError, match=r"a/000000003 \('Exit'\).*9 bytes"):
        WordRecord(b"no image!", "Exit", "a/000000003").load_image()


def test_bytes_and_encoded_files_are_stored_as_they_are(tmp_path):
    data = png(picture())
    (tmp_path / "word.png").write_bytes(data)
    assert encode_word(WordRecord(data, "x")) == data
    assert encode_word(WordRecord(tmp_path / "word.png", "x")) == data
    assert encode_word(WordRecord(picture(), "x"))[:2] == b"\xff\xd8"  # JPEG


# --- LMDB ---


def test_what_is_written_is_read_again(tmp_path):
    texts = ["Exit", "cafés", "a", "\"!'"]
    records = [WordRecord(picture(10 * number), text) for number, text in enumerate(texts)]
    assert write_lmdb(tmp_path / "w.lmdb", iter(records)) == 4
    data = LMDBWords(tmp_path / "w.lmdb")
    assert len(data) == 4
    assert [record.text for record in data] == texts
    assert [data.text(index) for index in (0, 3, -1)] == ["Exit", texts[3], texts[3]]
    assert data[1].name == "w.lmdb/000000002"
    assert [record.text for record in data[1:3]] == texts[1:3]
    for record, read in zip(records, data, strict=True):
        assert np.abs(read.load_image().astype(int) - record.load_image()).max() < 12
    with pytest.raises(IndexError, match="place 4 of 4 in LMDBWords"):
        data[4]


def test_the_layout_is_that_of_the_benchmarks(tmp_path):
    write_lmdb(tmp_path / "w.lmdb", [WordRecord(png(picture()), "é")])
    with (
        lmdb.open(str(tmp_path / "w.lmdb"), readonly=True) as environment,
        environment.begin() as transaction,
    ):
        assert dict(transaction.cursor()) == {
            b"num-samples": b"1",
            b"image-000000001": png(picture()),
            b"label-000000001": "é".encode(),
        }


def test_an_empty_data_base_has_no_words(tmp_path):
    assert write_lmdb(tmp_path / "w.lmdb", []) == 0
    assert len(LMDBWords(tmp_path / "w.lmdb")) == 0


def test_a_data_base_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "w.lmdb"
    write_lmdb(path, [WordRecord(picture(), "old")] * 2)
    with pytest.raises(ValueError, match=r"cannot be decoded|shape"):
        write_lmdb(path, [WordRecord(picture(), "new"), WordRecord(np.zeros((3, 3)), "bad")])
    assert [record.text for record in LMDBWords(path)] == ["old", "old"]
    write_lmdb(path, [WordRecord(picture(), "new")])
    assert [record.text for record in LMDBWords(path)] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.lmdb"]


def test_a_data_base_that_was_removed_and_made_again_is_read_anew(tmp_path):
    for text in ("old", "new"):
        write_lmdb(tmp_path / "made", [WordRecord(picture(), text)])
        shutil.rmtree(tmp_path / "w.lmdb", ignore_errors=True)  # as of another program
        (tmp_path / "made").rename(tmp_path / "w.lmdb")
        assert [word.text for word in LMDBWords(tmp_path / "w.lmdb")] == [text]


def test_another_folder_is_not_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="is there and is no LMDB"):
        write_lmdb(tmp_path / "photos", [])
    assert (tmp_path / "photos").is_dir()


def test_what_was_made_before_an_error_is_kept_and_the_next_words_follow(tmp_path):
    def failing():
        yield WordRecord(picture(), "one")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append_lmdb(tmp_path / "w.lmdb", failing())
    assert append_lmdb(tmp_path / "w.lmdb", [WordRecord(picture(), "two")]) == 2
    assert [record.text for record in LMDBWords(tmp_path / "w.lmdb")] == ["one", "two"]


def test_a_data_base_that_is_being_read_can_grow(tmp_path):
    write_lmdb(tmp_path / "w.lmdb", [WordRecord(picture(), "one")])
    before = LMDBWords(tmp_path / "w.lmdb")
    append_lmdb(tmp_path / "w.lmdb", [WordRecord(picture(), "two")])
    assert [record.text for record in before] == ["one"]
    assert [record.text for record in LMDBWords(tmp_path / "w.lmdb")] == ["one", "two"]


def test_a_full_map_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(words, "_MAP_BYTES", 1 << 16)
    noise = np.random.default_rng(0).integers(0, 256, (60, 200, 3), dtype=np.uint8)
    assert append_lmdb(tmp_path / "w.lmdb", [WordRecord(png(noise), "x")] * 9) == 9
    np.testing.assert_array_equal(LMDBWords(tmp_path / "w.lmdb")[8].load_image(), noise)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "num-samples"),
        ({b"num-samples": b"many"}, "num-samples"),
        ({b"num-samples": b"1", b"label-000000001": b"x"}, "image-000000001 is missing"),
        ({b"num-samples": b"1", b"image-000000001": b"x"}, "label-000000001 is missing"),
        (
            {b"num-samples": b"1", b"image-000000001": b"x", b"label-000000001": b"\xff"},
            "UTF-8 text at label-",
        ),
    ],
)
def test_an_incomplete_data_base_is_named(tmp_path, values, named):
    raw(tmp_path / "w.lmdb", {b"other": b"1", **values})
    with pytest.raises(ValueError, match=named):
        LMDBWords(tmp_path / "w.lmdb")[0]


def test_what_is_no_data_base_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"folder with data.mdb"):
        LMDBWords(tmp_path)
    with pytest.raises(ValueError, match=r"folder with data.mdb"):
        LMDBWords(tmp_path / "missing")
    (tmp_path / "data.mdb").write_bytes(b"no data base" * 999)
    with pytest.raises(ValueError, match=r"cannot be opened"):
        LMDBWords(tmp_path)


def test_it_goes_to_other_processes(tmp_path):
    write_lmdb(tmp_path / "w.lmdb", [WordRecord(picture(), "here")])
    data = LMDBWords(tmp_path / "w.lmdb")
    assert data[0].text == "here"
    assert pickle.loads(pickle.dumps(data))[0].text == "here"
    if "fork" in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.map(data.text, [0]) == ["here"]
    assert data[0].text == "here"


def test_the_error_without_lmdb_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError, match=r'pip install "tcm_hf\[words\]"'):
        write_lmdb(tmp_path / "w.lmdb", [])


# --- crops ---


def photo() -> np.ndarray:
    """A landscape photo whose pixel values tell their place: red is x, green is y."""
    y, x = np.mgrid[0:60, 0:100]
    return np.stack([x * 2, y * 4, np.zeros_like(x)], axis=-1).astype(np.uint8)


def crops_of(polygon, text: str | None = "word", **options) -> list[WordRecord]:
    record = TextRecord(photo(), [TextInstance(np.array(polygon), text, text == "###")], name="img_7.jpg")
    return list(word_crops([record], **options))


def test_an_upright_word_is_cut_pixel_by_pixel():
    (word,) = crops_of([[10, 20], [50, 20], [50, 35], [10, 35]])
    assert (word.text, word.name) == ("word", "img_7_1")
    np.testing.assert_array_equal(word.load_image(), photo()[20:35, 10:50])


def test_a_margin_is_a_share_of_the_height():
    (word,) = crops_of([[10, 20], [50, 20], [50, 30], [10, 30]], margin=0.2)
    np.testing.assert_array_equal(word.load_image(), photo()[18:32, 8:52])


def test_a_word_that_runs_down_is_upright_in_its_crop():
    # The text starts at the top right and runs down: its top edge is the right side.
    (word,) = crops_of([[40, 10], [40, 50], [30, 50], [30, 10]])
    image = word.load_image()
    assert image.shape == (10, 40, 3)
    np.testing.assert_array_equal(image, np.rot90(photo()[10:50, 30:40], 1))


def test_a_polygon_is_cut_by_its_rectangle_in_reading_order():
    (word,) = crops_of([[10, 20], [30, 20], [50, 20], [50, 30], [30, 30], [10, 30]])
    image = word.load_image()
    assert image.shape == (10, 40, 3)
    assert np.abs(image.astype(int) - photo()[20:30, 10:50]).max() <= 2


def test_a_word_at_the_photos_edge_keeps_its_size():
    (word,) = crops_of([[-10, 20], [30, 20], [30, 30], [-10, 30]])
    assert word.load_image().shape == (10, 40, 3)


@pytest.mark.parametrize("text", ["###", "", None])
def test_what_nobody_reads_is_left_out(text):
    assert crops_of([[10, 20], [50, 20], [50, 35], [10, 35]], text) == []


@pytest.mark.parametrize(
    "polygon",
    [
        [[10, 20], [50, 20], [50, 22], [10, 22]],  # lower than asked for
        [[10, 20], [11, 20], [11, 40], [10, 40]],  # one pixel wide
        [[10, 20], [10, 20], [10, 20], [10, 20]],  # a point
    ],
)
def test_what_is_too_small_is_left_out(polygon):
    assert crops_of(polygon) == []


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_data_base_that_is_cut_off_is_told_and_ends_no_process(tmp_path, share):
    pytest.importorskip("lmdb")
    noise = np.random.default_rng(0).integers(0, 256, (60, 200, 3), np.uint8)
    write_lmdb(tmp_path / "whole", [WordRecord(noise, str(index)) for index in range(100)])
    content = (tmp_path / "whole" / "data.mdb").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "data.mdb").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="cut off"):
        LMDBWords(tmp_path / "cut")  # looking behind its end would be SIGBUS
