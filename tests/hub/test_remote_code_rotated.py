"""A rotated detector of `save_with_code` in a process without tcm_hf, and after `import tcm_hf`."""

import re

import pytest
import torch
from fresh_process import run

from tcm_hf import TCMImageProcessor, save_with_code
from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tiny import tiny_images
from tiny_rotated import ROTATED_HEADS, tiny_rotated_model

WITHOUT_TCM_HF = """
    import sys
    sys.modules["tcm_hf"] = None  # as if it were not installed
    import torch
    from pathlib import Path
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForObjectDetection, pipeline

    def remote(thing):
        assert type(thing).__module__.startswith("transformers_modules."), type(thing)
        return thing

    trust = {"trust_remote_code": True}
    folders = sorted(Path(sys.argv[1]).iterdir())
    for folder in folders:
        reference = torch.load(folder / "reference.pt")
        model = remote(AutoModel.from_pretrained(folder, **trust))
        with torch.no_grad():
            found = model(reference["pixel_values"]).boxes
        for level, expected in zip(found, reference["boxes"], strict=True):
            torch.testing.assert_close(level, expected, rtol=1e-3, atol=1e-3)
    remote(AutoConfig.from_pretrained(folder, **trust))
    remote(AutoModelForObjectDetection.from_pretrained(folder, **trust))
    for backend in ("torchvision", "pil"):
        remote(AutoImageProcessor.from_pretrained(folder, backend=backend, **trust))
    detector = remote(pipeline("rotated-object-detection", model=str(folder), **trust))
    found = detector(torch.zeros(3, 60, 90, dtype=torch.uint8), tile=48, batch_size=2)
    assert len(found) == 4 and set(found[0]) == {"score", "label", "box", "polygon", "angle_deg"}
    remote(pipeline(model=str(folder), **trust))  # the task comes from the folder
    model.set_class_prompts({0: "ship", 1: "crane"}, [[62, 5, 63], [62, 6, 63]])
    print(*(folder.name for folder in folders))
"""

WITH_TCM_HF = """
    import sys
    from pathlib import Path
    import tcm_hf
    from transformers import AutoImageProcessor, AutoModel, pipeline

    folder = min(Path(sys.argv[1]).iterdir())
    for thing in (
        AutoModel.from_pretrained(folder),
        AutoImageProcessor.from_pretrained(folder),
        pipeline("rotated-object-detection", model=str(folder)),
    ):
        assert type(thing).__module__.startswith("tcm_hf."), type(thing)
    print("loaded with the package")
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny detector a head, each saved with its code from its pipeline."""
    folders = tmp_path_factory.mktemp("repositories")
    processor = TCMRotatedImageProcessor(size={"longest_edge": 96}, candidate_threshold=0, max_detections=4)
    for head_type in ROTATED_HEADS:
        model = tiny_rotated_model(head_type)
        detector = RotatedObjectDetectionPipeline(model=model, image_processor=processor)
        save_with_code(detector, folders / head_type)
        with torch.no_grad():
            boxes = model(tiny_images()).boxes
        torch.save({"pixel_values": tiny_images(), "boxes": boxes}, folders / head_type / "reference.pt")
    return folders


def test_the_folder_holds_the_closed_set_of_code_and_a_card(folders):
    folder = folders / "rotated_fcos"
    names = {path.name for path in folder.iterdir()}
    assert {"modeling_rotated.py", "image_processing_rotated.py", "rotated_object_detection.py"} <= names
    assert not {"text_detection.py", "text_spotting.py", "__init__.py"} & names
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    siblings = set(re.findall(r"^from \.(\w+) import", code, flags=re.MULTILINE))
    assert {f"{name}.py" for name in siblings} <= names
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert 'pipeline("rotated-object-detection", model=' in card and "- remote-sensing" in card


def test_every_head_loads_without_tcm_hf_if_its_code_is_trusted(folders, tmp_path):
    assert run(WITHOUT_TCM_HF, folders, tmp_path).stdout.split() == sorted(ROTATED_HEADS)


def test_the_folder_needs_no_flag_after_import_tcm_hf(folders, tmp_path):
    assert run(WITH_TCM_HF, folders, tmp_path).stdout.strip() == "loaded with the package"


def test_a_processor_of_another_task_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a TCMRotatedImageProcessor: got TCMImageProcessor"):
        save_with_code(tiny_rotated_model(), tmp_path, TCMImageProcessor())
