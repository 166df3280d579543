"""Records in a few arrays: what cannot be added leaves nothing behind."""

from pathlib import Path

import numpy as np
import pytest

from tcm_hf.data.corpora.packed import PackedRecords
from tcm_hf.data.records import TextInstance

QUAD = np.array([[1, 2], [9, 2], [9, 7], [1, 7]], np.float32)


@pytest.mark.parametrize("size_hw", [(1 << 31, 5), (5, 1 << 31), (-1, 5)])
def test_a_record_that_cannot_be_added_leaves_nothing_behind(size_hw):
    records = PackedRecords(Path("photos"))
    records.append(Path("photos/a.jpg"), [TextInstance(QUAD, "a", language="Latin")], (480, 640))
    with pytest.raises(ValueError, match="expected the size of a picture"):
        records.append(Path("photos/b.jpg"), [TextInstance(QUAD, "b"), TextInstance(QUAD, "c")], size_hw)
    records.append(Path("photos/d.jpg"), [TextInstance(QUAD + 1, "d", True, "Greek")])
    first, last = records
    assert (first.name, first.texts, first.size_hw) == ("a.jpg", ["a"], (480, 640))
    assert (last.name, last.texts, last.ignore.tolist(), last.size_hw) == ("d.jpg", ["d"], [True], None)
    assert [record.instances[0].language for record in records] == ["Latin", "Greek"]
    np.testing.assert_array_equal(last.polygons_xy[0], QUAD + 1)
