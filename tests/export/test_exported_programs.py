"""Real exports: equal to PyTorch in sizes that they were not traced with."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tcm_hf.export.equality import largest_differences
from tcm_hf.export.folders import export_checkpoint
from tcm_hf.export.formats import FORMATS, Source
from tcm_hf.export.onnx_files import to_onnx, write_onnx
from tcm_hf.export.tracing import prepare
from tiny import HEADS, VIT_TOWER, tiny_model
from tiny_recognizer import tiny_recognizer

REPOSITORY = Path(__file__).parents[2]

pytest.importorskip("onnxscript", reason="exporting needs the extra onnx")
pytest.importorskip("onnxruntime", reason="exporting needs the extra onnx")


@pytest.fixture(scope="module")
def detector():
    return prepare(tiny_model())


@pytest.fixture(scope="module")
def onnx_path(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "onnx" / "model.onnx"
    write_onnx(to_onnx(detector), path)
    return path


def test_a_detector_on_onnxruntime_equals_pytorch_in_every_size(detector, onnx_path):
    differences = largest_differences(detector, FORMATS["onnx"].open(onnx_path))
    assert len(differences) == 5
    assert {shape[0] % 2 for shape in differences} == {0, 1}
    assert detector.pixel_values.shape[-2:] not in {shape[1:] for shape in differences if shape[0] > 1}
    assert max(differences.values()) < 1e-4


def test_an_onnx_file_is_whole_named_and_silent_about_where_it_was_made(onnx_path):
    import onnx

    graph = onnx.load(onnx_path, load_external_data=False).graph
    (pixel_values,) = graph.input
    sizes = pixel_values.type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["batch", 3, "height", "width"]
    assert [output.name for output in graph.output] == ["probability_map"]
    assert [path.name for path in onnx_path.parent.iterdir()] == ["model.onnx"]
    assert not any(node.metadata_props or node.doc_string for node in graph.node)
    assert b"site-packages" not in onnx_path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "torch"])
@pytest.mark.parametrize(
    "options",
    [
        *({"head_type": head_type} for head_type in HEADS),
        {"method": "tcm"},
        {"method": "baseline"},
        {"image_tower_config": VIT_TOWER, "matching_stage": 2},
    ],
    ids=[*HEADS, "tcm", "baseline", "vit"],
)
def test_every_detector_equals_pytorch(options, name, tmp_path):
    source, path = Source(tiny_model(**options)), tmp_path / FORMATS[name].file
    FORMATS[name].write(source, path)
    found = largest_differences(source.traced, FORMATS[name].open(path))
    # A tiny SegNet of random weights is off by that much in float32 itself, measured against float64.
    assert max(found.values()) < (1e-2 if options.get("head_type") == "segnet" else 1e-3)


@pytest.mark.slow
def test_a_detector_on_openvino_equals_pytorch(tmp_path):
    pytest.importorskip("openvino", reason="needs the extra openvino")
    source, path = Source(tiny_model()), tmp_path / "model.xml"
    FORMATS["openvino"].write(source, path)
    assert FORMATS["openvino"].check(source, path) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "torch"])
@pytest.mark.parametrize(
    "options",
    [{}, {"refine_iterations": 1}, {"decoder_num_layers": 2}, {"use_cross_branch": False}],
    ids=["plain", "refined", "two layers", "visual branch"],
)
def test_every_recogniser_reads_what_pytorch_reads(options, name, tmp_path):
    model = tiny_recognizer(**{key: value for key, value in options.items() if key != "use_cross_branch"})
    if "use_cross_branch" in options:
        model = without_cross_branch()
    source, path = Source(model), tmp_path / FORMATS[name].file
    FORMATS[name].write(source, path)
    program = FORMATS[name].open(path)
    crops = torch.randn(33, 3, 32, 64, generator=torch.Generator().manual_seed(5)).numpy()
    with torch.no_grad():
        expected = source.traced.model(torch.from_numpy(crops))["logits"].numpy()
    found = np.asarray(program(crops)["logits"])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(-1) == expected.argmax(-1)).all()


def without_cross_branch():
    from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition

    config = tiny_recognizer().config
    config.use_cross_branch = False
    torch.manual_seed(0)
    return CLIP4STRForTextRecognition(config).eval()


@pytest.mark.slow
def test_a_torch_program_runs_without_our_code(tmp_path):
    source, path = Source(tiny_model()), tmp_path / "model.pt2"
    FORMATS["torch"].write(source, path)
    code = (
        "import sys, torch; run = torch.export.load(sys.argv[1]).module()\n"
        "found = run(pixel_values=torch.zeros(3, 3, 96, 128))['probability_map']\n"
        "print(found.shape, 'tcm_hf' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "torch.Size([3, 96, 128]) False"
    assert b"site-packages" not in path.read_bytes()


@pytest.mark.slow
def test_the_shipped_reader_finds_and_reads_the_same_from_its_export(tmp_path):
    from transformers import pipeline

    from tcm_hf import default_checkpoint

    photos = sorted(map(str, (REPOSITORY / "examples/images").glob("*.jpg")))
    files = export_checkpoint(
        default_checkpoint(),
        tmp_path / "reader",
        ["onnx", "onnx-int8"],
        default_checkpoint("text-recognition"),
        photos,
    )
    assert [file.format for file in files] == ["onnx", "onnx-int8"] * 2
    assert files[1].num_bytes < files[0].num_bytes / 2
    expected = pipeline("text-spotting", dtype="float32")(photos)
    exact = pipeline("text-spotting", model=str(tmp_path / "reader"), backend="onnx")(photos)
    for words, same in zip(expected, exact, strict=True):
        assert [word["text"] for word in same] == [word["text"] for word in words]
        for word, again in zip(words, same, strict=True):
            assert np.abs(np.asarray(word["polygon"]) - np.asarray(again["polygon"])).max() <= 1
    small = pipeline("text-spotting", model=str(tmp_path / "reader"), backend="onnx-int8")(photos)
    texts = [word["text"] for words in expected for word in words]
    found = [word["text"] for words in small for word in words]
    assert len(set(texts) & set(found)) >= 0.8 * len(set(texts))
