"""Picture files without decoding: upright sizes, equal files, files that are not there."""

import io

import numpy as np
import pytest
from PIL import Image

from tcm_hf.data.image_files import equal_files, lies_there, require_pictures, upright_size_hw
from tcm_hf.data.records import TextRecord
from tcm_hf.data.words import WordRecord


def turned(path, orientation):
    image = Image.new("RGB", (60, 40))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("orientation", "size_hw"), [(1, (40, 60)), (3, (40, 60)), (6, (60, 40)), (8, (60, 40))]
)
def test_sizes_are_those_of_the_upright_picture(tmp_path, orientation, size_hw):
    path = turned(tmp_path / "a.jpg", orientation)
    assert upright_size_hw(path) == upright_size_hw(path.read_bytes()) == size_hw
    assert TextRecord(path).load_image().shape[:2] == size_hw


def test_pixels_have_their_size_too():
    assert upright_size_hw(np.zeros((4, 7, 3), np.uint8)) == (4, 7)
    assert upright_size_hw(Image.new("L", (7, 4))) == (4, 7)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\xff\xd8\xff\xe0" + bytes(40)])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"the image {len(content)} bytes"):
            upright_size_hw(content)
    with pytest.raises(ValueError, match=r"Cannot read the image .*a\.jpg"):
        upright_size_hw(path)


def test_a_broken_header_of_any_format_is_a_value_error():
    stream = io.BytesIO()
    Image.new("RGB", (7, 4)).save(stream, "DDS")
    content = bytearray(stream.getvalue())
    content[80:84] = (1 << 14).to_bytes(4, "little")  # flags that Pillow tells with NotImplementedError
    with pytest.raises(ValueError, match="Cannot read the image"):
        upright_size_hw(bytes(content))


def test_a_name_longer_than_names_are_is_that_of_no_file(tmp_path):
    path = tmp_path / ("a" * 3000)
    assert not lies_there(path) and not lies_there(tmp_path.joinpath(*["a"] * 3000))
    assert equal_files([path, path]) == []
    with pytest.raises(ValueError, match="not there"):
        require_pictures([TextRecord(path)], tmp_path)


def test_equal_files_are_found_by_their_bytes(tmp_path):
    contents = {"a": b"1", "b": b"2", "c": b"1", "d": b"22", "e": b"1"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in "abcdex"]
    assert equal_files([*paths, paths[0]]) == [[paths[0], paths[2], paths[4]]]
    assert equal_files([]) == []


def test_pictures_that_are_not_there_are_counted(tmp_path):
    there = TextRecord(turned(tmp_path / "a.jpg", 1))
    require_pictures([there, there], tmp_path)
    require_pictures([], tmp_path)
    require_pictures([WordRecord(b"bytes", "a")] * 2, tmp_path)
    with pytest.raises(ValueError, match=r"name 2 images that are not there, the first is b\.jpg"):
        require_pictures([there, TextRecord(tmp_path / "b.jpg"), TextRecord(tmp_path / "c.jpg")], tmp_path)


def test_of_a_large_corpus_some_are_asked(tmp_path):
    class Large(list):
        asked = 0

        def __len__(self):
            return 1_000_000

        def __getitem__(self, index):
            Large.asked += 1
            return TextRecord(tmp_path)  # is there, and no file

    with pytest.raises(ValueError, match="name 20000 images"):
        require_pictures(Large(), tmp_path)
    assert Large.asked == 20_001
