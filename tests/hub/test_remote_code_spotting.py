"""An end-to-end spotter of `save_with_code` in a process without tcm_hf."""

import json
import re

import pytest
import torch
from fresh_process import run
from PIL import Image

from tcm_hf import TCMImageProcessor, TCMSpottingImageProcessor, TextSpottingPipeline, save_with_code
from tcm_hf.modeling.modeling_tcm_spotting import SPOTTING_HEADS
from tiny import tiny_images
from tiny_spotter import ABCNET_HEAD, HEAD, tiny_spotter

_QUERIES = {name: value for name, value in HEAD.items() if name not in ("head_type", "num_control_points")}
TINY_HEADS = {
    "testr": HEAD,
    "abcnet": ABCNET_HEAD,
    "deepsolo": {"head_type": "deepsolo", "num_points": 6, **_QUERIES},
}

WITHOUT_TCM_HF = """
    import sys
    sys.modules["tcm_hf"] = None  # as if it were not installed
    import torch
    from pathlib import Path
    from PIL import Image
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, pipeline

    def remote(thing):
        assert type(thing).__module__.startswith("transformers_modules."), type(thing)
        return thing

    trust = {"trust_remote_code": True}
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        remote(AutoConfig.from_pretrained(folder, **trust))
        reference = torch.load(folder / "reference.pt")
        model = remote(AutoModel.from_pretrained(folder, **trust))
        with torch.no_grad():
            output = model(reference["pixel_values"])
        torch.testing.assert_close(output.score_logits, reference["score_logits"], rtol=1e-3, atol=1e-3)
        for backend in ("torchvision", "pil"):
            processor = remote(AutoImageProcessor.from_pretrained(folder, backend=backend, **trust))
            texts = [found["texts"] for found in processor.post_process_text_spotting(output)]
            assert texts == reference["texts"]
        reader = remote(pipeline("text-spotting", model=str(folder), **trust))
        assert reader.recognizer is None
        words = reader(Image.open(folder / "picture.png"), threshold=0.0, recognition_threshold=0.0)
        assert all({"text", "polygon", "line"} <= set(word) for word in words)
        print(folder.name)
    remote(pipeline(model=str(folder), **trust))  # the task comes from the folder
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny spotter a head, each saved with its code from its pipeline."""
    folders = tmp_path_factory.mktemp("repositories")
    for head_type, head in TINY_HEADS.items():
        model, folder = tiny_spotter(head_config=head), folders / head_type
        processor = TCMSpottingImageProcessor(
            size={"shortest_edge": 64, "longest_edge": 96},
            characters=model.config.characters,
            threshold=0.0,
            nms_threshold=1.0,
        )
        save_with_code(TextSpottingPipeline(model=model, image_processor=processor), folder)
        with torch.no_grad():
            output = model(tiny_images())
        texts = [found["texts"] for found in processor.post_process_text_spotting(output)]
        reference = {"pixel_values": tiny_images(), "score_logits": output.score_logits, "texts": texts}
        torch.save(reference, folder / "reference.pt")
        Image.effect_noise((96, 64), 80).convert("RGB").save(folder / "picture.png")
    return folders


def test_every_head_is_looked_at():
    assert set(TINY_HEADS) == set(SPOTTING_HEADS)


def test_the_folder_holds_the_closed_set_of_code_and_a_card_of_one_model(folders):
    folder = folders / "testr"
    names = {path.name for path in folder.iterdir()}
    assert {"modeling_tcm_spotting.py", "image_processing_spotting.py", "text_spotting.py"} <= names
    assert "recognizer" not in names
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    siblings = set(re.findall(r"^from \.(\w+) import", code, flags=re.MULTILINE))
    assert {f"{name}.py" for name in siblings} <= names
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert 'pipeline("text-spotting", model=' in card
    assert "A scene text spotter, which finds words and reads them" in card
    assert "clip4str" not in card
    pipelines = json.loads((folder / "config.json").read_text(encoding="utf-8"))["custom_pipelines"]
    assert list(pipelines) == ["text-spotting"]


def test_every_head_loads_without_tcm_hf_if_its_code_is_trusted(folders, tmp_path):
    assert run(WITHOUT_TCM_HF, folders, tmp_path).stdout.split() == sorted(TINY_HEADS)


def test_a_detectors_processor_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a TCMSpottingImageProcessor: got TCMImageProcessor"):
        save_with_code(tiny_spotter(), tmp_path, TCMImageProcessor())
