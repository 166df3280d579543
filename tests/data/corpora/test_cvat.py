"""CVAT for images 1.1: polygons and turned boxes with attributes; broken shapes with their lines."""

import numpy as np
import pytest

from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.problems import Problems

XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>t</name></task></meta>
  <image id="0" name="a.jpg" width="96" height="64">
    {}
  </image>
</annotations>
"""


def write(folder, *shapes):
    (folder / "annotations.xml").write_text(XML.format("\n    ".join(shapes)), encoding="utf-8")
    return folder


def test_polygons_and_boxes_with_attributes(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    write(
        tmp_path,
        '<polygon label="text" points="10.00,5.00;60.00,8.00;59.00,20.00;9.00,17.00" z_order="0">'
        '<attribute name="Text">Stra\u00dfe &amp; 2</attribute>'
        '<attribute name="ignore">false</attribute></polygon>',
        '<box label="text" xtl="10" ytl="5" xbr="30" ybr="13" rotation="90.0" occluded="0">'
        '<attribute name="illegible">true</attribute><attribute name="text"></attribute></box>',
        '<box label="ignore" xtl="10" ytl="5" xbr="30" ybr="13" occluded="0"></box>',
        '<tag label="night" source="manual"></tag>',
    )
    (record,) = load_corpus(tmp_path)
    assert record.image == tmp_path / "images" / "a.jpg" and record.size_hw == (64, 96)
    assert record.texts == ["Stra\u00dfe & 2", None, None]
    assert record.ignore.tolist() == [False, True, True]
    np.testing.assert_allclose(record.polygons_xy[1], [[24, -1], [24, 19], [16, 19], [16, -1]], atol=1e-4)


def test_what_is_no_outline_is_named_with_its_line(tmp_path):
    write(
        tmp_path,
        '<polyline label="text" points="1,2;3,4"/>',
        '<polygon label="text" points="1,2;3,4"/>',
        '<polygon label="text" points="1,2;3,x;5,6"/>',
        '<box label="text" xtl="10" ytl="5" xbr="30"/>',
        '<mask label="text" rle="1, 2" left="1" top="1" width="3" height="1"/>',
    )
    problems = Problems()
    (record,) = load_corpus(tmp_path, problems=problems)
    assert record.instances == []
    assert [problem.line for problem in problems] == [6, 7, 8, 9, 10]
    assert "polyline is no outline" in problems[0].reason and "'ybr' is missing" in problems[3].reason


def test_videos_and_broken_files_are_refused(tmp_path):
    text = XML.format("").replace("<image ", '<track id="0" label="text"></track>\n  <image ')
    (tmp_path / "annotations.xml").write_text(text)
    problems = Problems()
    load_corpus(tmp_path, problems=problems)
    assert "export as CVAT for images" in problems[0].reason and problems[0].line == 5
    (tmp_path / "annotations.xml").write_text(text[:-20])
    problems = Problems()
    assert load_corpus(tmp_path, problems=problems) == []
    assert "expected XML" in problems[0].reason


@pytest.mark.parametrize("encoding", ["klingon", "zlib", "utf-32", "gbk"])
def test_an_encoding_that_there_is_not_is_a_problem_of_the_file(tmp_path, encoding):
    text = XML.format("").replace("utf-8", encoding)
    assert encoding in text
    (tmp_path / "annotations.xml").write_text(text)
    problems = Problems()
    assert load_corpus(f"cvat:{tmp_path}", problems=problems) == []
    assert "expected XML" in problems[0].reason and problems[0].path.name == "annotations.xml"
