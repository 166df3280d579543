"""Pictures are found by the names that tools wrote down, wherever they lie now."""

from urllib.parse import quote

import pytest

from tcm_hf.data.corpora.image_lookup import ImageIndex


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in (
        "a.jpg",
        "train/b.png",
        "test/b.png",
        "images/My photo (1).JPG",
        "deep/down/c.webp",
        ".x/d.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("A.JPG", "a.jpg"),
        ("/home/me/photos/a.jpg", "a.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("../images/a.jpg", "a.jpg"),
        ("https://host/data/a.jpg?x=1", "a.jpg"),
        ("s3://bucket/some/a.jpg", "a.jpg"),
        ("/data/upload/1/0a1b2c3d-a.jpg", "a.jpg"),
        ("/data/upload/7-0a1b2c3d-a.jpg", "a.jpg"),
        ("deadbeef-a.jpg", "deadbeef-a.jpg"),  # no upload: it is lost, and the other another picture
        ("/data/local-files/?d=test/b.png", "test/b.png"),
        ("/somewhere/train/b.png", "train/b.png"),
        ("/data/upload/1/0a1b2c3d-My_photo_1.JPG", "images/My photo (1).JPG"),
        ("/data/upload/1/0a1b2c3d-My%20photo%20(1).JPG", "images/My photo (1).JPG"),
        ("My photo (1).JPG", "images/My photo (1).JPG"),
        ("c.png", "deep/down/c.webp"),  # another suffix
        ("d.jpg", "d.jpg"),  # hidden: where it should be
        ("sub/e.jpg", "sub/e.jpg"),
        ("test/a.jpg", "test/a.jpg"),  # its folder is there, so the other a.jpg is another picture
    ],
)
def test_a_name_and_its_place(folder, name, place):
    assert ImageIndex(folder).find(name) == folder / place


def test_two_that_fit_equally_are_an_error(folder):
    with pytest.raises(ValueError, match=r"2 pictures could be 'other/b\.png'"):
        ImageIndex(folder).find("other/b.png")


def test_a_folder_of_pictures_may_be_a_link_even_one_that_leads_back(tmp_path):
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "a.jpg").touch()
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "photos").symlink_to(tmp_path / "mount")
    (tmp_path / "mount" / "back").symlink_to(tmp_path / "export")
    assert ImageIndex(tmp_path / "export").find("a.jpg") == tmp_path / "export" / "photos" / "a.jpg"


def test_a_name_may_be_long_as_an_address_and_not_as_a_name(tmp_path):
    picture = tmp_path / ("\u65e5" * 60 + ".jpg")
    picture.touch()
    assert ImageIndex(tmp_path).find(f"/data/upload/1/{quote(picture.name)}") == picture
    for name in ("a" * 300 + ".jpg", "a/" * 3000 + "b.jpg"):
        with pytest.raises(ValueError, match="expected the name of a picture"):
            ImageIndex(tmp_path).find(name)
