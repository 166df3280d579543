"""An ONNX file runs with as many threads as were asked for; what cannot be run is told in words."""

import sys

import numpy as np
import pytest

from planted_exports import BRIGHTNESS, write_graph
from tcm_hf.modeling.onnx_session import OnnxSession, usable_cores

LEVELS = """
<ir_version: 10, opset_import: ["" : 18]>
levels (float[batch, 3, height, width] pixel_values) => (
    float[batch, 3, height, width] region_logits.1,
    float[batch, 3, height, width] region_logits.0,
    float[batch, 3, height, width] text_logits
)
{
    region_logits.1 = Neg (pixel_values)
    region_logits.0 = Abs (pixel_values)
    text_logits = Identity (pixel_values)
}
"""


@pytest.fixture(scope="module")
def brightness(tmp_path_factory):
    return write_graph(BRIGHTNESS, tmp_path_factory.mktemp("session") / "model.onnx")


def test_batch_height_and_width_are_open(brightness):
    session = OnnxSession(brightness, num_threads=1)
    assert session.input_names == ["pixel_values"] and session.output_names == ["probability_map"]
    for shape in ((1, 3, 4, 6), (5, 3, 2, 3)):
        pixel_values = np.random.default_rng(0).random(shape, dtype=np.float32)
        found = session.run({"pixel_values": pixel_values})
        np.testing.assert_allclose(found["probability_map"], pixel_values.mean(axis=1), atol=1e-6)


def test_levels_of_one_field_come_together_in_their_order(tmp_path):
    text = LEVELS.replace("region_logits.", "region_logits_")  # a name of the notation has no dot
    found = OnnxSession(write_graph(text, tmp_path / "m.onnx"), 1).run(
        {"pixel_values": np.full((1, 3, 2, 3), -2.0, np.float32)}
    )
    assert set(found) == {"region_logits", "text_logits"}
    assert [level.max() for level in found["region_logits"]] == [2.0, 2.0]
    assert isinstance(found["region_logits"], tuple) and isinstance(found["text_logits"], np.ndarray)


@pytest.mark.parametrize(
    ("num_threads", "wanted"), [(1, 1), (3, 3), (None, usable_cores())], ids=["one", "three", "all"]
)
def test_threads_are_as_asked_for(brightness, num_threads, wanted):
    assert OnnxSession(brightness, num_threads).num_threads == wanted


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("", 10**6), ("x", 10**6), ("0", 10**6)])
def test_omp_num_threads_is_a_limit(monkeypatch, limit, most):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert 1 <= usable_cores() <= most


def test_an_input_that_the_graph_does_not_take_is_told(brightness):
    session = OnnxSession(brightness, 1)
    with pytest.raises(ValueError, match=r"cannot be run on \{'pixel_values': \(3, 4, 6\)\}"):
        session.run({"pixel_values": np.zeros((3, 4, 6), np.float32)})


def test_files_that_are_none_are_told(tmp_path):
    with pytest.raises(ValueError, match="No such ONNX file"):
        OnnxSession(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"cannot run .*model\.onnx"):
        OnnxSession(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="num_threads"):
        OnnxSession(tmp_path / "model.onnx", 0)


def test_a_machine_without_onnxruntime_is_told_what_to_install(brightness, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "tcm_hf\[onnx\]"'):
        OnnxSession(brightness)
