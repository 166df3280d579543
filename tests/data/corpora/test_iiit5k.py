"""IIIT 5K-word: MATLAB tables beside folders of crops."""

import numpy as np
import pytest

from tcm_hf.data.corpora.loading import load_corpus, recognise
from tcm_hf.data.corpora.problems import Problems


def table(path, variable, rows, *fields):
    """A struct array as MATLAB saves it; a text is a cell of characters."""
    from scipy.io import savemat

    array = np.zeros((1, len(rows)), dtype=[(field, object) for field in fields])
    for index, row in enumerate(rows):
        array[0, index] = row
    savemat(path, {variable: array})


@pytest.fixture
def iiit5k(tmp_path):
    folder = tmp_path / "IIIT5K"
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
    boxes = np.ones((3, 4))
    rows = [("train/1009_2.png", "You", boxes), ("train/1009_3.png", "I", boxes[:1])]
    table(folder / "trainCharBound.mat", "trainCharBound", rows, "ImgName", "chars", "charBB")
    lexicon = np.array(["YOU", "ME"], dtype=object)
    capitals = [(name, text.upper(), lexicon) for name, text, _ in rows]
    table(folder / "traindata.mat", "traindata", capitals, "ImgName", "GroundTruth", "smallLexi")
    rows = [("test/1002_1.png", "PRIVATE", lexicon), ("test/1002_2.png", "", lexicon)]
    table(folder / "testdata.mat", "testdata", rows, "ImgName", "GroundTruth", "smallLexi")
    return folder


def test_the_table_that_keeps_the_case_is_preferred(iiit5k):
    assert recognise(iiit5k).name == recognise(iiit5k.parent).name == "iiit5k"
    words = load_corpus(f"{iiit5k.parent}@train")
    assert [(word.image, word.text) for word in words] == [
        (iiit5k / "train" / "1009_2.png", "You"),
        (iiit5k / "train" / "1009_3.png", "I"),
    ]
    (iiit5k / "trainCharBound.mat").unlink()
    assert [word.text for word in load_corpus(f"iiit5k:{iiit5k}@train")] == ["YOU", "I"]


def test_an_empty_text_is_named_by_its_place(iiit5k):
    problems = Problems()
    assert [word.text for word in load_corpus(f"{iiit5k}@test", problems=problems)] == ["PRIVATE"]
    assert [problem.reason for problem in problems] == ["entry 2: expected a text, got []"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no table", r"testdata\.mat: expected a MATLAB file"),
        (None, r"expected the fields ImgName and GroundTruth in testdata, got \('a',\)"),
    ],
)
def test_another_table_is_named(iiit5k, content, message):
    path = iiit5k / "testdata.mat"
    if content is None:
        table(path, "testdata", [("x",)], "a")
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_corpus(f"{iiit5k}@test")
