"""A folder of `save_with_code` in a process without tcm_hf, and the same folder after `import tcm_hf`."""

import json
import re

import pytest
import torch
from fresh_process import run
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from tcm_hf import TCMImageProcessor, TextDetectionPipeline, save_with_code
from tiny import HEADS, VIT_TOWER, maps_of, tiny_images, tiny_model

SIZE = {"shortest_edge": 64, "longest_edge": 96}

WITHOUT_TCM_HF = """
    import sys
    sys.modules["tcm_hf"] = None  # as if it were not installed
    folder, again = sys.argv[1:]
    import torch
    from PIL import Image
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForObjectDetection, pipeline

    def remote(thing):
        assert type(thing).__module__.startswith("transformers_modules."), type(thing)
        return thing

    remote(AutoConfig.from_pretrained(folder, trust_remote_code=True))
    reference = torch.load(folder + "/reference.pt")
    for auto_class in (AutoModel, AutoModelForObjectDetection):
        model = remote(auto_class.from_pretrained(folder, trust_remote_code=True))
        assert type(model).__name__ == "TCMForTextDetection"
        with torch.no_grad():
            found = model(reference["pixel_values"]).probability_map
        torch.testing.assert_close(found, reference["probability_map"])
    for backend in ("torchvision", "pil"):
        options = {"trust_remote_code": True, "backend": backend}
        processor = remote(AutoImageProcessor.from_pretrained(folder, **options))
        assert type(processor).__name__.endswith("Pil") == (backend == "pil")
        assert processor.size["longest_edge"] == 96
    detector = remote(pipeline("text-detection", model=folder, trust_remote_code=True))
    picture = Image.open(folder + "/picture.png")
    detections = detector(picture, threshold=0.0, binarize_threshold=0.5)
    assert detections and set(detections[0]) == {"score", "label", "box", "polygon"}
    remote(pipeline(model=folder, trust_remote_code=True))  # the task comes from the folder
    model.save_pretrained(again)  # code loaded from a folder goes on to the next one
    processor.save_pretrained(again)
    remote(AutoModel.from_pretrained(again, trust_remote_code=True))
    remote(AutoImageProcessor.from_pretrained(again, trust_remote_code=True))
    assert sys.modules["tcm_hf"] is None
    print("loaded without the package")
"""

EVERY_DETECTOR_WITHOUT_TCM_HF = """
    import sys
    sys.modules["tcm_hf"] = None
    import torch
    from pathlib import Path
    from transformers import AutoImageProcessor, AutoModel, pipeline

    folders = sorted(Path(sys.argv[1]).iterdir())
    for folder in folders:
        model = AutoModel.from_pretrained(folder, trust_remote_code=True)
        processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=True)
        assert type(model).__module__.startswith("transformers_modules."), type(model)
        reference = torch.load(folder / "reference.pt")
        with torch.no_grad():
            output = model(reference["pixel_values"])
        for name, value in reference["maps"].items():
            field, _, level = name.partition(".")
            found = output[field][int(level)] if level else output[field]
            # Threads of another number round in another order; the segmentation head makes much of it.
            torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-2)
        results = processor.post_process_text_detection(output)
        assert [len(result["polygons"]) for result in results] == reference["counts"]
        detector = pipeline("text-detection", model=str(folder), trust_remote_code=True)
        assert isinstance(detector(torch.zeros(3, 60, 90, dtype=torch.uint8)), list)
    print(*(folder.name for folder in folders))
"""

WITH_TCM_HF = """
    import sys
    import tcm_hf
    folder, again = sys.argv[1:]
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForObjectDetection, pipeline

    def local(thing):
        assert type(thing).__module__.startswith("tcm_hf."), type(thing)
        return thing

    for trust in ({}, {"trust_remote_code": True}):
        local(AutoConfig.from_pretrained(folder, **trust))
        model = local(AutoModel.from_pretrained(folder, **trust))
        local(AutoModelForObjectDetection.from_pretrained(folder, **trust))
        processor = local(AutoImageProcessor.from_pretrained(folder, backend="pil", **trust))
        local(pipeline("text-detection", model=folder, **trust))
    model.save_pretrained(again)
    processor.save_pretrained(again)
    print("loaded with the package")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny detector saved with its code, with reference outputs and a picture beside it."""
    folder = tmp_path_factory.mktemp("repository") / "tiny-detector"
    model = tiny_model()
    save_with_code(model, folder, TCMImageProcessor(size=SIZE))
    with torch.no_grad():
        probability_map = model(tiny_images()).probability_map
    torch.save({"pixel_values": tiny_images(), "probability_map": probability_map}, folder / "reference.pt")
    Image.effect_noise((96, 64), 80).convert("RGB").save(folder / "picture.png")
    return folder


def test_folder_holds_the_weights_and_the_closed_set_of_code(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= names
    assert {
        "modeling_tcm.py",
        "configuration_tcm.py",
        "image_processing_tcm.py",
        "text_detection.py",
    } <= names
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    siblings = set(re.findall(r"^from \.(\w+) import", code, flags=re.MULTILINE))
    assert {f"{name}.py" for name in siblings} <= names
    assert "__init__.py" not in names


def test_card_says_what_the_hub_needs_to_know_and_an_existing_one_is_kept(folder, tmp_path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    header = card.split("---")[1]
    assert "pipeline_tag: object-detection" in header
    assert "library_name: transformers" in header
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    save_with_code(tiny_model().model, tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["auto_map"]["AutoModel"] == "modeling_tcm.TCMModel"
    assert "custom_pipelines" not in config
    assert not (tmp_path / "text_detection.py").exists()


def test_pipeline_is_saved_with_its_own_image_processor(tmp_path):
    processor = TCMImageProcessor(size=SIZE, threshold=0.7)
    pipeline = TextDetectionPipeline(model=tiny_model(), image_processor=processor, task="text-detection")
    save_with_code(pipeline, tmp_path)
    written = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert written["threshold"] == 0.7
    assert written["auto_map"]["AutoImageProcessor"] == {
        "torchvision": "image_processing_tcm.TCMImageProcessor",
        "pil": "image_processing_tcm.TCMImageProcessorPil",
    }


def test_models_and_processors_of_others_are_refused(tmp_path):
    other = CLIPTextModel(
        CLIPTextConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1)
    )
    with pytest.raises(ValueError, match="a model of tcm_hf"):
        save_with_code(other, tmp_path)
    with pytest.raises(ValueError, match="TCMImageProcessor"):
        save_with_code(tiny_model(), tmp_path, processor=object())
    with (
        pytest.warns(FutureWarning, match="`processor`"),
        pytest.raises(ValueError, match="TCMImageProcessor"),
    ):
        save_with_code(tiny_model(), tmp_path, image_processor=object())


def test_plain_saving_writes_no_code(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert "auto_map" not in (tmp_path / "config.json").read_text(encoding="utf-8")


def test_folder_loads_without_tcm_hf_if_its_code_is_trusted(folder, tmp_path):
    assert "loaded without the package" in run(WITHOUT_TCM_HF, folder, tmp_path).stdout
    assert (tmp_path / "again" / "modeling_tcm.py").is_file()


def test_every_head_and_the_vision_transformer_load_without_tcm_hf(tmp_path):
    cases = {head_type: tiny_model(head_type=head_type) for head_type in HEADS if head_type != "dbnet"}
    cases["vit"] = tiny_model(image_tower_config=VIT_TOWER, matching_stage=2)
    processor = TCMImageProcessor(size=SIZE, threshold=0.0, binarize_threshold=0.1, kernel_threshold=0.1)
    for name, model in cases.items():
        save_with_code(model, tmp_path / "detectors" / name, processor)
        with torch.no_grad():
            output = model(tiny_images())
        counts = [len(result["polygons"]) for result in processor.post_process_text_detection(output)]
        assert any(counts), name  # the decoder has something to do
        torch.save(
            {"pixel_values": tiny_images(), "maps": maps_of(output), "counts": counts},
            tmp_path / "detectors" / name / "reference.pt",
        )
    found = run(EVERY_DETECTOR_WITHOUT_TCM_HF, tmp_path / "detectors", tmp_path)
    assert found.stdout.split() == sorted(cases)


def test_folder_needs_no_flag_after_import_tcm_hf_and_runs_the_installed_code(folder, tmp_path):
    result = run(WITH_TCM_HF, folder, tmp_path)
    assert result.stdout.strip() == "loaded with the package"  # nobody asked to trust anything
    for name in ("config.json", "preprocessor_config.json"):
        saved_again = json.loads((tmp_path / "again" / name).read_text(encoding="utf-8"))
        assert not {"auto_map", "custom_pipelines"} & set(saved_again)  # there is no code beside it
