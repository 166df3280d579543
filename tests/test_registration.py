"""`import tcm_hf` makes the models known to transformers, whatever was imported before it, and costs little.

The import orders run in forks of one process that has torch and others but nothing of transformers, which
saves most of the time of a fresh process each.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib import import_module

import pytest

from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tiny import tiny_model
from tiny_recognizer import tiny_processor, tiny_recognizer
from tiny_rotated import tiny_rotated_model
from tiny_spotter import tiny_spotter

ORDERS = [
    "import tcm_hf; from transformers import AutoModel",
    "import tcm_hf; from transformers import Trainer, CLIPModel, AutoImageProcessor",
    "import tcm_hf; tcm_hf.register(); tcm_hf.register()",
    "import tcm_hf; tcm_hf.AutoModelForTextDetection; tcm_hf.AutoModelForTextSpotting",
    "import tcm_hf.modeling.modeling_tcm",
    "from tcm_hf.pipelines.text_detection import TextDetectionPipeline",
    "from transformers import AutoConfig; import tcm_hf",
    "from transformers import pipeline, AutoModel; import tcm_hf",
    "from transformers.models.clip.modeling_clip import CLIPEncoder; import tcm_hf",
]

RUNNER = """
    import json, os, sys, traceback
    import accelerate, cv2, PIL.Image, pyclipper, safetensors, shapely, timm, tokenizers, torch, torchvision
    assert "transformers" not in sys.modules

    CHECK = '''
    import importlib
    import transformers
    from transformers.pipelines import PIPELINE_REGISTRY
    from transformers.utils import logging
    logging.disable_progress_bar()
    import tcm_hf

    def name(thing):
        assert type(thing).__module__.startswith("tcm_hf."), type(thing)
        return type(thing).__name__

    folder, words, spotter, rotated = sys.argv[1:5]
    config = transformers.AutoConfig.from_pretrained(folder)
    load = transformers.AutoImageProcessor.from_pretrained
    processors = {backend: load(folder, backend=backend) for backend in ("torchvision", "pil")}
    reading = transformers.AutoProcessor.from_pretrained(words)
    tasks = ("text-detection", "text-recognition", "text-spotting", "rotated-object-detection")

    def pipeline_of(task):
        targeted = PIPELINE_REGISTRY.check_task(task)[1]
        assert PIPELINE_REGISTRY.get_supported_tasks().count(task) == 1, task
        return targeted["impl"].__module__ + "." + targeted["impl"].__name__

    found = {
        "AutoConfig": name(config),
        "AutoModel": name(transformers.AutoModel.from_pretrained(folder)),
        "AutoModel.from_config": name(transformers.AutoModel.from_config(tcm_hf.TCMConfig(**tcm_hf_options))),
        "AutoModelForObjectDetection": name(transformers.AutoModelForObjectDetection.from_pretrained(folder)),
        "AutoModelForTextDetection": name(tcm_hf.AutoModelForTextDetection.from_pretrained(folder)),
        "AutoBackbone": name(transformers.AutoBackbone.from_config(config)),
        "torchvision": name(processors["torchvision"]),
        "pil": name(processors["pil"]),
        "pipelines": [pipeline_of(task) for task in tasks],
        "for_model": name(transformers.AutoConfig.for_model("tcm", method="baseline")),
        "spotter/AutoConfig": name(transformers.AutoConfig.from_pretrained(spotter)),
        "spotter/AutoModel": name(transformers.AutoModel.from_pretrained(spotter)),
        "spotter/AutoModelForTextSpotting": name(tcm_hf.AutoModelForTextSpotting.from_pretrained(spotter)),
        "spotter/torchvision": name(load(spotter, backend="torchvision")),
        "spotter/pil": name(load(spotter, backend="pil")),
        "rotated/AutoConfig": name(transformers.AutoConfig.from_pretrained(rotated)),
        "rotated/AutoModel": name(transformers.AutoModel.from_pretrained(rotated)),
        "rotated/AutoModelForObjectDetection": name(
            transformers.AutoModelForObjectDetection.from_pretrained(rotated)
        ),
        "rotated/torchvision": name(load(rotated, backend="torchvision")),
        "rotated/pil": name(load(rotated, backend="pil")),
        "words/AutoConfig": name(transformers.AutoConfig.from_pretrained(words)),
        "words/AutoModel": name(transformers.AutoModel.from_pretrained(words)),
        "words/AutoModelForTextRecognition": name(
            transformers.AutoModelForTextRecognition.from_pretrained(words)
        ),
        "words/AutoTokenizer": name(transformers.AutoTokenizer.from_pretrained(words)),
        "words/AutoImageProcessor": name(transformers.AutoImageProcessor.from_pretrained(words)),
        "words/pil": name(transformers.AutoImageProcessor.from_pretrained(words, backend="pil")),
        "words/AutoProcessor": name(reading),
        "words/caption_tokenizer": name(reading.caption_tokenizer),
    }
    '''

    def run(order):
        names = {"sys": sys, "tcm_hf_options": json.loads(sys.argv[6])}
        exec(order, names)
        exec(CHECK, names)
        return names["found"]

    results = {}
    for order in json.loads(sys.argv[5]):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(writing, 2)  # what the user would see on stderr
            try:
                answer = run(order)
            except BaseException:
                answer = traceback.format_exc()
            os.close(writing)
            sys.stderr.flush()
            print(json.dumps([order, answer]), flush=True)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as seen:
            talk = seen.read()
        os.waitpid(child, 0)
        print(json.dumps([order + "/stderr", talk]), flush=True)
"""

PIPELINES = {
    "text-detection": "TextDetectionPipeline",
    "text-recognition": "TextRecognitionPipeline",
    "text-spotting": "TextSpottingPipeline",
    "rotated-object-detection": "RotatedObjectDetectionPipeline",
}
EXPECTED = {
    "AutoConfig": "TCMConfig",
    "AutoModel": "TCMForTextDetection",
    "AutoModel.from_config": "TCMModel",
    "AutoModelForObjectDetection": "TCMForTextDetection",
    "AutoModelForTextDetection": "TCMForTextDetection",
    "AutoBackbone": "TCMModel",
    "torchvision": "TCMImageProcessor",
    "pil": "TCMImageProcessorPil",
    "pipelines": [
        "tcm_hf.pipelines.text_detection.TextDetectionPipeline",
        "tcm_hf.pipelines.text_recognition.TextRecognitionPipeline",
        "tcm_hf.pipelines.text_spotting.TextSpottingPipeline",
        "tcm_hf.pipelines.rotated_object_detection.RotatedObjectDetectionPipeline",
    ],
    "for_model": "TCMConfig",
    "spotter/AutoConfig": "TCMSpottingConfig",
    "spotter/AutoModel": "FastTCMForTextSpotting",
    "spotter/AutoModelForTextSpotting": "FastTCMForTextSpotting",
    "spotter/torchvision": "TCMSpottingImageProcessor",
    "spotter/pil": "TCMSpottingImageProcessorPil",
    "rotated/AutoConfig": "TCMRotatedDetectionConfig",
    "rotated/AutoModel": "TCMForRotatedObjectDetection",
    "rotated/AutoModelForObjectDetection": "TCMForRotatedObjectDetection",
    "rotated/torchvision": "TCMRotatedImageProcessor",
    "rotated/pil": "TCMRotatedImageProcessorPil",
    "words/AutoConfig": "CLIP4STRConfig",
    "words/AutoModel": "CLIP4STRForTextRecognition",
    "words/AutoModelForTextRecognition": "CLIP4STRForTextRecognition",
    "words/AutoTokenizer": "CharacterTokenizer",
    "words/AutoImageProcessor": "CLIP4STRImageProcessor",
    "words/pil": "CLIP4STRImageProcessorPil",
    "words/AutoProcessor": "CLIP4STRProcessor",
    "words/caption_tokenizer": "CaptionBPETokenizer",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What every order found, and under `order + "/stderr"` what it said."""
    folder = tmp_path_factory.mktemp("registration")
    model = tiny_model("baseline")
    model.save_pretrained(folder)
    TCMImageProcessor().save_pretrained(folder)
    words = tmp_path_factory.mktemp("words")
    tiny_recognizer().save_pretrained(words)
    tiny_processor().save_pretrained(words)
    spotter = tmp_path_factory.mktemp("spotter")
    tiny_spotter().save_pretrained(spotter)
    TCMSpottingImageProcessor().save_pretrained(spotter)
    rotated = tmp_path_factory.mktemp("rotated")
    tiny_rotated_model().save_pretrained(rotated)
    TCMRotatedImageProcessor().save_pretrained(rotated)
    options = model.config.to_diff_dict()
    options.pop("architectures")
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(RUNNER),
            folder,
            words,
            spotter,
            rotated,
            json.dumps(ORDERS),
            json.dumps(options),
        ],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return dict(json.loads(line) for line in result.stdout.splitlines() if line.startswith("["))


@pytest.mark.parametrize("order", ORDERS)
def test_every_auto_class_finds_ours_in_any_order_of_imports(results, order):
    assert results[order] == EXPECTED


@pytest.mark.parametrize("order", ORDERS)
def test_registration_says_nothing(results, order):
    assert results[order + "/stderr"] == ""


def test_import_alone_loads_neither_torch_nor_transformers():
    heavy = {"torch", "transformers", "numpy", "cv2", "PIL"}
    script = f"import sys, tcm_hf; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_the_pipeline_keeps_no_entry_that_saving_would_write_into_the_config():
    import tcm_hf

    pipelines = import_module("transformers.pipelines")
    for task, name in PIPELINES.items():
        assert task in pipelines.PIPELINE_REGISTRY.supported_tasks
        assert not hasattr(getattr(tcm_hf, name), "_registered_impl")


def test_every_task_of_text_has_a_checkpoint_of_the_package():
    import tcm_hf

    assert tcm_hf.default_checkpoint() == tcm_hf.default_checkpoint("text-spotting")
    assert tcm_hf.default_checkpoint("text-recognition").name == "clip4str-tiny"
    with pytest.raises(ValueError, match="text-spotting"):
        tcm_hf.default_checkpoint("rotated-object-detection")


def test_a_task_without_a_checkpoint_of_the_package_asks_for_a_model():
    import tcm_hf  # noqa: F401

    with pytest.raises(ValueError, match=r"give `pipeline\('rotated-object-detection', model=...\)`"):
        import_module("transformers.pipelines").pipeline("rotated-object-detection")


def test_an_unknown_name_is_an_attribute_error():
    import tcm_hf

    with pytest.raises(AttributeError, match="TCMNothing"):
        tcm_hf.TCMNothing  # noqa: B018
