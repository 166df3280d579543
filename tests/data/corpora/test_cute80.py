"""CUTE80 as it is downloaded: outlines of lines in one XML, and the crops that readers are tested on."""

import pytest
from PIL import Image

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems
from tcm_hf.data.word_corpora import load_words

XML = """<?xml version="1.0" encoding="utf-8"?>
<tagset>
   <Image>
      <ImageName>image001.jpg</ImageName>
      <PolygonPoints x="232 280 355 359 321 259" y="159 129 156 160 153 163">test</PolygonPoints>
      <PolygonPoints x="273 267 317 317" y="171 189 188 172">test</PolygonPoints>
   </Image>
   <Image>
      <ImageName>image056.jpg</ImageName>
      <PolygonPoints x="10 20 20 10" y="10 10 15">test</PolygonPoints>
   </Image>
</tagset>
"""


@pytest.fixture
def cute80(tmp_path):
    (tmp_path / "Groundtruth").mkdir()
    (tmp_path / "Groundtruth" / "GroundTruth.xml").write_text(XML)
    (tmp_path / "CUTE80").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "CUTE80" / "image056.JPG")
    return tmp_path


@pytest.mark.parametrize("part", [".", "Groundtruth"])
def test_outlines_are_lines_without_transcription_from_the_start_of_the_text(cute80, part):
    assert recognise(cute80 / part).name == "cute80"
    problems = Problems()
    first, second = load_corpus(cute80 / part, problems=problems)
    assert (first.level, first.texts, len(first.polygons_xy[0])) == ("line", [None, None], 6)
    assert first.ignore.tolist() == [False, False]
    # The second outline runs anticlockwise in the file.
    assert first.polygons_xy[1].tolist() == [[273, 171], [317, 172], [317, 188], [267, 189]]
    assert (first.image.name, second.image.name) == ("image001.jpg", "image056.JPG")
    assert [(problem.line, problem.reason) for problem in problems] == [
        (10, "expected an x and a y a point, got 4 and 3")
    ]


def test_the_crops_have_their_text_twice(tmp_path):
    (tmp_path / "timage").mkdir()
    for number in (1, 2):
        Image.new("RGB", (30, 10)).save(tmp_path / "timage" / f"00{number}.jpg")
    labels = tmp_path / "ct80_test.txt"
    labels.write_text("timage/001.jpg RONALDO 1 RONALDO\ntimage/002.jpg 7 1 7\n")
    assert recognise(tmp_path).name == "cute80-words"
    assert [(word.name, word.text) for word in load_words(tmp_path)] == [
        ("timage/001.jpg", "RONALDO"),
        ("timage/002.jpg", "7"),
    ]
    labels.write_text("timage/001.jpg RONALDO 1 RONALDO\ntimage/002.jpg\n")
    with pytest.raises(ValueError, match=r"ct80_test\.txt, line 2: expected an image, its text"):
        load_words(tmp_path)
