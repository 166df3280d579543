"""A detector with its recognizer, saved with their code: loaded without tcm_hf, and after importing it."""

import json
import re

import pytest
import torch
from fresh_process import run
from PIL import Image

from tcm_hf import (
    CLIP4STRImageProcessor,
    TCMImageProcessor,
    TextRecognitionPipeline,
    TextSpottingPipeline,
    save_with_code,
)
from tiny import tiny_model
from tiny_recognizer import tiny_crops, tiny_processor, tiny_recognizer

WITHOUT_TCM_HF = """
    import sys
    sys.modules["tcm_hf"] = None  # as if it were not installed
    folder, again = sys.argv[1:]
    words = folder + "/recognizer"
    import torch
    from PIL import Image
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForTextRecognition
    from transformers import AutoProcessor, AutoTokenizer, pipeline

    def remote(thing):
        assert type(thing).__module__.startswith("transformers_modules."), type(thing)
        return thing

    trusting = {"trust_remote_code": True}
    remote(AutoConfig.from_pretrained(words, **trusting))
    reference = torch.load(words + "/reference.pt")
    for auto_class in (AutoModel, AutoModelForTextRecognition):
        model = remote(auto_class.from_pretrained(words, **trusting))
        with torch.no_grad():
            logits = model(reference["pixel_values"]).logits
        torch.testing.assert_close(logits, reference["logits"])
    assert remote(AutoTokenizer.from_pretrained(words, **trusting))("cab").input_ids == [13, 11, 12, 0]
    for backend in ("torchvision", "pil"):
        images = remote(AutoImageProcessor.from_pretrained(words, backend=backend, **trusting))
        assert type(images).__name__.endswith("Pil") == (backend == "pil")
        assert images.size["width"] == 64
    processor = remote(AutoProcessor.from_pretrained(words, **trusting))
    remote(processor.image_processor), remote(processor.tokenizer), remote(processor.caption_tokenizer)
    picture = Image.open(folder + "/picture.png")
    recognizer = remote(pipeline("text-recognition", model=words, **trusting))
    assert set(recognizer(picture)) == {"text", "score"}
    remote(pipeline(model=words, **trusting))  # the task comes from the folder
    remote(pipeline("text-detection", model=folder, **trusting))
    reader = remote(pipeline("text-spotting", model=folder, **trusting))
    remote(reader.recognizer)
    found = reader(picture, threshold=0.0, binarize_threshold=0.5)
    assert all({"text", "polygon", "line"} <= set(word) for word in found)
    model.save_pretrained(again)  # code loaded from a folder goes on to the next one
    processor.save_pretrained(again)
    remote(AutoModel.from_pretrained(again, **trusting))
    remote(AutoProcessor.from_pretrained(again, **trusting))
    assert sys.modules["tcm_hf"] is None
    print("loaded without the package")
"""

WITH_TCM_HF = """
    import sys
    import tcm_hf
    folder, again = sys.argv[1:]
    words = folder + "/recognizer"
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForTextRecognition
    from transformers import AutoProcessor, AutoTokenizer, pipeline

    def local(thing):
        assert type(thing).__module__.startswith("tcm_hf."), type(thing)
        return thing

    for trust in ({}, {"trust_remote_code": True}):
        local(AutoConfig.from_pretrained(words, **trust))
        model = local(AutoModelForTextRecognition.from_pretrained(words, **trust))
        local(AutoModel.from_pretrained(words, **trust))
        local(AutoImageProcessor.from_pretrained(words, backend="pil", **trust))
        processor = local(AutoProcessor.from_pretrained(words, **trust))
        local(processor.tokenizer), local(processor.image_processor), local(processor.caption_tokenizer)
        local(pipeline("text-recognition", model=words, **trust))
        local(local(pipeline("text-spotting", model=folder, **trust)).recognizer)
    local(AutoTokenizer.from_pretrained(words))  # alone and with the flag, transformers takes the folder's
    model.save_pretrained(again)
    processor.save_pretrained(again)
    print("loaded with the package")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny reader saved with its code, with reference outputs and a picture beside it."""
    folder = tmp_path_factory.mktemp("repository") / "tiny-reader"
    model = tiny_recognizer()
    recognizer = TextRecognitionPipeline(
        model=model, processor=tiny_processor(), task="text-recognition", device="cpu"
    )
    reader = TextSpottingPipeline(
        model=tiny_model(),
        image_processor=TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}),
        recognizer=recognizer,
        task="text-spotting",
        device="cpu",
    )
    save_with_code(reader, folder)
    with torch.no_grad():
        logits = model(tiny_crops()).logits
    torch.save({"pixel_values": tiny_crops(), "logits": logits}, folder / "recognizer" / "reference.pt")
    Image.effect_noise((96, 64), 80).convert("RGB").save(folder / "picture.png")
    return folder


def test_both_folders_hold_weights_and_closed_sets_of_code(folder):
    for part, code in ((folder, "text_spotting.py"), (folder / "recognizer", "modeling_clip4str.py")):
        names = {path.name for path in part.iterdir()}
        assert {"config.json", "model.safetensors", code} <= names
        text = "".join(path.read_text(encoding="utf-8") for path in part.glob("*.py"))
        siblings = set(re.findall(r"^from \.(\w+) import", text, flags=re.MULTILINE))
        assert {f"{name}.py" for name in siblings} <= names
    assert not (folder / "modeling_clip4str.py").exists()
    assert {"charset.json", "processor_config.json", "caption_tokenizer"} <= names


def test_the_card_is_about_reading(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert 'reader = pipeline("text-spotting", model="tiny-reader")' in card
    assert "- text-spotting" in card.split("---")[1]


def test_a_recognizer_is_saved_with_or_without_its_processor(tmp_path):
    save_with_code(tiny_recognizer(), tmp_path / "bare")
    config = json.loads((tmp_path / "bare" / "config.json").read_text(encoding="utf-8"))
    reference = "modeling_clip4str.CLIP4STRForTextRecognition"
    assert config["auto_map"]["AutoModelForTextRecognition"] == config["auto_map"]["AutoModel"] == reference
    assert "custom_pipelines" not in config
    assert not (tmp_path / "bare" / "text_recognition.py").exists()
    save_with_code(tiny_recognizer(), tmp_path / "whole", tiny_processor(with_captions=False))
    config = json.loads((tmp_path / "whole" / "config.json").read_text(encoding="utf-8"))
    assert set(config["custom_pipelines"]) == {"text-recognition"}
    card = (tmp_path / "whole" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: image-to-text" in card


def test_a_processor_of_another_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="CLIP4STRProcessor"):
        save_with_code(tiny_recognizer(), tmp_path, CLIP4STRImageProcessor())
    with pytest.raises(ValueError, match="TCMImageProcessor"):
        save_with_code(tiny_model(), tmp_path, tiny_processor())


def test_folder_loads_without_tcm_hf_if_its_code_is_trusted(folder, tmp_path):
    assert "loaded without the package" in run(WITHOUT_TCM_HF, folder, tmp_path).stdout
    assert (tmp_path / "again" / "modeling_clip4str.py").is_file()


def test_folder_needs_no_flag_after_import_tcm_hf_and_runs_the_installed_code(folder, tmp_path):
    result = run(WITH_TCM_HF, folder, tmp_path)
    assert result.stdout.strip() == "loaded with the package"  # nobody asked to trust anything
    for name in ("config.json", "processor_config.json", "tokenizer_config.json"):
        text = (tmp_path / "again" / name).read_text(encoding="utf-8")
        assert "auto_map" not in text  # there is no code beside it
        assert "custom_pipelines" not in text
