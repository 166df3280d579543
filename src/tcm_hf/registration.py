"""The only file that knows transformers' Auto classes and its pipeline registry.

transformers resolves its own models lazily, from tables of names and the package
`transformers.models.<type>`. `import tcm_hf` adds our names to those tables when they are loaded, so that
nothing heavy is imported before it is used; where the tables were read already, it registers the classes
through the public `register` methods.
"""

import importlib
import sys
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

from tcm_hf._import_hook import after_import

_AUTO = "transformers.models.auto."
# What `transformers.models.auto.<module>` calls its tables, and our entries in each, by model type.
_NAMES: dict[str, dict[str, dict[str, str | tuple[str, ...] | dict[str, str]]]] = {
    "configuration_auto": {"CONFIG_MAPPING_NAMES": {"tcm": "TCMConfig", "clip4str": "CLIP4STRConfig"}},
    "modeling_auto": {
        "MODEL_MAPPING_NAMES": {
            "tcm": ("TCMModel", "TCMForTextDetection"),
            "clip4str": "CLIP4STRForTextRecognition",
        },
        "MODEL_FOR_BACKBONE_MAPPING_NAMES": {"tcm": "TCMModel"},
        "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES": {"tcm": "TCMForTextDetection"},
        "MODEL_FOR_TEXT_RECOGNITION_MAPPING_NAMES": {"clip4str": "CLIP4STRForTextRecognition"},
    },
    "image_processing_auto": {
        "IMAGE_PROCESSOR_MAPPING_NAMES": {
            "tcm": {"torchvision": "TCMImageProcessor", "pil": "TCMImageProcessorPil"},
            "clip4str": {"torchvision": "CLIP4STRImageProcessor", "pil": "CLIP4STRImageProcessorPil"},
        }
    },
    "tokenization_auto": {"TOKENIZER_MAPPING_NAMES": {"clip4str": "CharacterTokenizer"}},
    "processing_auto": {"PROCESSOR_MAPPING_NAMES": {"clip4str": "CLIP4STRProcessor"}},
}
_MODEL_TYPES = tuple(_NAMES["configuration_auto"]["CONFIG_MAPPING_NAMES"])

# Our tasks: the pipeline, and the checkpoint of the package that is its default.
_PIPELINES = {
    "text-detection": ("text_detection.TextDetectionPipeline", "fasttcm-dbnet-tiny"),
    "text-recognition": ("text_recognition.TextRecognitionPipeline", "clip4str-tiny"),
    "text-spotting": ("text_spotting.TextSpottingPipeline", "fasttcm-dbnet-tiny"),
}


def default_checkpoint(task: str = "text-detection") -> Path:
    """Folder of the model that ships with the package: `pipeline(task)` without a model loads it.

    Args:
        task: "text-detection", "text-recognition" or "text-spotting", whose model is the detector.

    Raises:
        ValueError: for another task.
    """
    if task not in _PIPELINES:
        raise ValueError(f"There is no default for the task {task!r}: choose from {sorted(_PIPELINES)}.")
    return Path(__file__).parent / "checkpoints" / _PIPELINES[task][1]


def register_lazily() -> None:
    """Makes the models and the pipeline known to transformers; costs nothing until they are used."""
    if any(_AUTO + module in sys.modules for module in _NAMES):
        register()
        return
    # Where transformers looks for the classes of a model type; tcm_hf loads its attributes on first use.
    for model_type in _MODEL_TYPES:
        sys.modules[f"transformers.models.{model_type}"] = sys.modules["tcm_hf"]
    for module in _NAMES:
        after_import(_AUTO + module, partial(_add_names, module))
    after_import("transformers.pipelines", register_pipelines)


def _add_names(module: str) -> None:
    tables = importlib.import_module(_AUTO + module)
    for table, entries in _NAMES[module].items():
        getattr(tables, table).update(entries)


def register() -> None:
    """Registers every class now, through the public methods; may be called again."""
    _register_tcm()
    _register_clip4str()
    after_import("transformers.pipelines", register_pipelines)


def _register_tcm() -> None:
    from transformers import (
        AutoBackbone,
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForObjectDetection,
    )

    from tcm_hf.modeling.configuration_tcm import TCMConfig
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor, TCMImageProcessorPil

    AutoConfig.register("tcm", TCMConfig, exist_ok=True)
    # A tuple is resolved by `config.architectures`.
    AutoModel.register(TCMConfig, (TCMModel, TCMForTextDetection), exist_ok=True)
    AutoBackbone.register(TCMConfig, TCMModel, exist_ok=True)
    AutoModelForObjectDetection.register(TCMConfig, TCMForTextDetection, exist_ok=True)
    classes: dict[str, type] = {"torchvision": TCMImageProcessor, "pil": TCMImageProcessorPil}
    AutoImageProcessor.register(TCMConfig, image_processor_classes=classes, exist_ok=True)


def _register_clip4str() -> None:
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForTextRecognition,
        AutoProcessor,
        AutoTokenizer,
    )

    from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
    from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
    from tcm_hf.processing.image_processing_clip4str import (
        CLIP4STRImageProcessor,
        CLIP4STRImageProcessorPil,
    )
    from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
    from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer

    AutoConfig.register("clip4str", CLIP4STRConfig, exist_ok=True)
    AutoModel.register(CLIP4STRConfig, CLIP4STRForTextRecognition, exist_ok=True)
    AutoModelForTextRecognition.register(CLIP4STRConfig, CLIP4STRForTextRecognition, exist_ok=True)
    classes: dict[str, type] = {"torchvision": CLIP4STRImageProcessor, "pil": CLIP4STRImageProcessorPil}
    AutoImageProcessor.register(CLIP4STRConfig, image_processor_classes=classes, exist_ok=True)
    AutoTokenizer.register(CLIP4STRConfig, tokenizer_class=CharacterTokenizer, exist_ok=True)
    AutoProcessor.register(CLIP4STRConfig, CLIP4STRProcessor, exist_ok=True)


def register_pipelines() -> None:
    """`pipeline(task)` for our three tasks, with the shipped checkpoints as defaults."""
    from transformers import AutoModelForTextRecognition
    from transformers.pipelines import PIPELINE_REGISTRY

    for task, (class_path, _) in _PIPELINES.items():
        if task in PIPELINE_REGISTRY.supported_tasks:
            continue
        module, name = class_path.split(".")
        pipeline_class = getattr(importlib.import_module(f"tcm_hf.pipelines.{module}"), name)
        recognizes = task == "text-recognition"
        PIPELINE_REGISTRY.register_pipeline(
            task,
            pipeline_class=pipeline_class,
            pt_model=AutoModelForTextRecognition if recognizes else _auto_model_for_text_detection(),
            default={"model": (str(default_checkpoint(task)), "main")},
            type="image",
        )
        # `Pipeline.save_pretrained` would write this entry into config.json, and loading would look for our
        # Auto class among those of transformers.
        del pipeline_class._registered_impl


def _auto_model_for_text_detection() -> type:
    """The one Auto class of this package; built on first use because it needs transformers' factory."""
    if "AutoModelForTextDetection" not in globals():
        from transformers.models.auto.auto_factory import (
            _BaseAutoModelClass,
            _LazyAutoMapping,
            auto_class_update,
        )
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

        from tcm_hf.modeling.configuration_tcm import TCMConfig
        from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

        class AutoModelForTextDetection(_BaseAutoModelClass):
            _model_mapping: Any = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())

        auto_class = auto_class_update(AutoModelForTextDetection, head_doc="text detection")
        auto_class.register(TCMConfig, TCMForTextDetection)
        globals()["AutoModelForTextDetection"] = auto_class
    return globals()["AutoModelForTextDetection"]


def __getattr__(name: str):
    if name == "AutoModelForTextDetection":
        return _auto_model_for_text_detection()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
