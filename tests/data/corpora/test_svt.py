"""Street View Text in its true layout: `train.xml` and `test.xml` beside `img/`."""

import pytest

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems

TEST_XML = """<?xml version="1.0" encoding="utf-8"?>
<tagset>
  <image>
    <imageName>img/14_03.jpg</imageName>
    <address>341 Southwest 10th Avenue Portland OR</address>
    <lex>
LIVING,ROOM,THEATERS
</lex>
    <Resolution x="1280" y="880"/>
    <taggedRectangles>
      <taggedRectangle height="75" width="236" x="375" y="253">
        <tag>LIVING</tag>
      </taggedRectangle>
      <taggedRectangle height="76" width="175" x="639" y="272">
        <tag>ROOM</tag>
      </taggedRectangle>
    </taggedRectangles>
  </image>
  <image>
    <imageName>img/14_04.jpg</imageName>
    <taggedRectangles/>
  </image>
</tagset>
"""


@pytest.fixture
def svt(tmp_path):
    folder = tmp_path / "svt1"
    folder.mkdir()
    (folder / "test.xml").write_text(TEST_XML)
    (folder / "train.xml").write_text(TEST_XML.replace("14_0", "00_0"))
    return folder


def test_one_of_the_files_can_be_given_itself(svt):
    assert recognise(svt / "test.xml").name == "svt"
    records = load_corpus(svt / "test.xml")
    assert [record.name for record in records] == ["14_03.jpg", "14_04.jpg"]
    assert records[0].image == svt / "img" / "14_03.jpg"


@pytest.mark.parametrize("above", [False, True])
def test_boxes_become_polygons_from_the_top_left(svt, above):
    source = svt.parent if above else svt
    assert recognise(source).name == "svt"
    first, second = load_corpus(f"{source}@test")
    assert first.image == svt / "img" / "14_03.jpg"
    assert (first.texts, first.size_hw, first.level) == (["LIVING", "ROOM"], (880, 1280), "word")
    assert first.polygons_xy[0].tolist() == [[375, 253], [611, 253], [611, 328], [375, 328]]
    assert (second.texts, second.size_hw) == ([], None)
    assert load_corpus(f"svt:{source}@train")[0].name == "00_03.jpg"


def test_broken_boxes_and_images_are_named_with_their_line(svt):
    xml = TEST_XML.replace('width="236" ', "").replace("<tag>ROOM</tag>", "<tag/>")
    (svt / "test.xml").write_text(xml.replace("<imageName>img/14_04.jpg</imageName>", ""))
    problems = Problems()
    (record,) = load_corpus(f"{svt}@test", problems=problems)
    assert record.instances == []
    assert [(problem.path.name, problem.line) for problem in problems] == [
        ("test.xml", 11),
        ("test.xml", 14),
        ("test.xml", 19),
    ]
    assert problems[0].reason.startswith("expected numbers in x, y, width, height")
    assert "<imageName>" in problems[2].reason


def test_a_cut_off_file_has_its_line(svt):
    (svt / "test.xml").write_text(TEST_XML[: TEST_XML.index("ROOM</tag>")])
    with pytest.raises(ValueError, match=r"test\.xml, line 15: expected XML"):
        load_corpus(f"{svt}@test")
