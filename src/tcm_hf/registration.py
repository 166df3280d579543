"""The only file that knows transformers' Auto classes and its pipeline registry.

transformers resolves its own models lazily, from tables of names and the package
`transformers.models.<type>`. `import tcm_hf` adds our names to those tables when they are loaded, so that
nothing heavy is imported before it is used; where the tables were read already, it registers the classes
through the public `register` methods.
"""

import importlib
import sys
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tcm_hf._import_hook import after_import

_AUTO = "transformers.models.auto."
# What `transformers.models.auto.<module>` calls its tables, and our entries in each, by model type.
_NAMES: dict[str, dict[str, dict[str, str | tuple[str, ...] | dict[str, str]]]] = {
    "configuration_auto": {
        "CONFIG_MAPPING_NAMES": {
            "tcm": "TCMConfig",
            "tcm_spotting": "TCMSpottingConfig",
            "tcm_rotated": "TCMRotatedDetectionConfig",
            "clip4str": "CLIP4STRConfig",
        }
    },
    "modeling_auto": {
        "MODEL_MAPPING_NAMES": {
            "tcm": ("TCMModel", "TCMForTextDetection"),
            "tcm_spotting": "FastTCMForTextSpotting",
            "tcm_rotated": "TCMForRotatedObjectDetection",
            "clip4str": "CLIP4STRForTextRecognition",
        },
        "MODEL_FOR_BACKBONE_MAPPING_NAMES": {"tcm": "TCMModel"},
        "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES": {
            "tcm": "TCMForTextDetection",
            "tcm_rotated": "TCMForRotatedObjectDetection",
        },
        "MODEL_FOR_TEXT_RECOGNITION_MAPPING_NAMES": {"clip4str": "CLIP4STRForTextRecognition"},
    },
    "image_processing_auto": {
        "IMAGE_PROCESSOR_MAPPING_NAMES": {
            "tcm": {"torchvision": "TCMImageProcessor", "pil": "TCMImageProcessorPil"},
            "tcm_spotting": {
                "torchvision": "TCMSpottingImageProcessor",
                "pil": "TCMSpottingImageProcessorPil",
            },
            "tcm_rotated": {"torchvision": "TCMRotatedImageProcessor", "pil": "TCMRotatedImageProcessorPil"},
            "clip4str": {"torchvision": "CLIP4STRImageProcessor", "pil": "CLIP4STRImageProcessorPil"},
        }
    },
    "tokenization_auto": {"TOKENIZER_MAPPING_NAMES": {"clip4str": "CharacterTokenizer"}},
    "processing_auto": {"PROCESSOR_MAPPING_NAMES": {"clip4str": "CLIP4STRProcessor"}},
}
_MODEL_TYPES = tuple(_NAMES["configuration_auto"]["CONFIG_MAPPING_NAMES"])

# Our Auto classes, for tasks that transformers has none for: config, model and task of each.
_AUTO_CLASSES = {
    "AutoModelForTextDetection": ("TCMConfig", "TCMForTextDetection", "text detection"),
    "AutoModelForTextSpotting": ("TCMSpottingConfig", "FastTCMForTextSpotting", "text spotting"),
}

# Our tasks: the pipeline, and the checkpoint of the package that is its default, if there is one.
_PIPELINES: dict[str, tuple[str, str | None]] = {
    "text-detection": ("text_detection.TextDetectionPipeline", "fasttcm-dbnet-tiny"),
    "text-recognition": ("text_recognition.TextRecognitionPipeline", "clip4str-tiny"),
    "text-spotting": ("text_spotting.TextSpottingPipeline", "fasttcm-dbnet-tiny"),
    "rotated-object-detection": (
        "rotated_object_detection.RotatedObjectDetectionPipeline",
        None,
    ),
}


def default_checkpoint(task: str = "text-detection") -> Path:
    """Folder of the model that ships with the package: `pipeline(task)` without a model loads it.

    Args:
        task: "text-detection", "text-recognition" or "text-spotting", whose model is the detector.

    Raises:
        ValueError: for another task.
    """
    defaults = {name: folder for name, (_, folder) in _PIPELINES.items() if folder}
    if task not in defaults:
        raise ValueError(f"There is no default for the task {task!r}: choose from {sorted(defaults)}.")
    return Path(__file__).parent / "checkpoints" / defaults[task]


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
    _register_tcm_spotting()
    _register_tcm_rotated()
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


def _register_tcm_spotting() -> None:
    from transformers import AutoConfig, AutoImageProcessor, AutoModel

    from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
    from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
    from tcm_hf.processing.image_processing_spotting import (
        TCMSpottingImageProcessor,
        TCMSpottingImageProcessorPil,
    )

    AutoConfig.register("tcm_spotting", TCMSpottingConfig, exist_ok=True)
    AutoModel.register(TCMSpottingConfig, FastTCMForTextSpotting, exist_ok=True)
    classes: dict[str, type] = {
        "torchvision": TCMSpottingImageProcessor,
        "pil": TCMSpottingImageProcessorPil,
    }
    AutoImageProcessor.register(TCMSpottingConfig, image_processor_classes=classes, exist_ok=True)


def _register_tcm_rotated() -> None:
    from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForObjectDetection

    from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
    from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
    from tcm_hf.processing.image_processing_rotated import (
        TCMRotatedImageProcessor,
        TCMRotatedImageProcessorPil,
    )

    AutoConfig.register("tcm_rotated", TCMRotatedDetectionConfig, exist_ok=True)
    for auto_class in (AutoModel, AutoModelForObjectDetection):
        auto_class.register(TCMRotatedDetectionConfig, TCMForRotatedObjectDetection, exist_ok=True)
    classes: dict[str, type] = {"torchvision": TCMRotatedImageProcessor, "pil": TCMRotatedImageProcessorPil}
    AutoImageProcessor.register(TCMRotatedDetectionConfig, image_processor_classes=classes, exist_ok=True)


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
    """`pipeline(task)` for our tasks, with the shipped checkpoints as defaults."""
    from transformers import AutoModelForObjectDetection, AutoModelForTextRecognition
    from transformers.pipelines import PIPELINE_REGISTRY

    auto_classes: dict[str, Any] = {
        "text-recognition": (AutoModelForTextRecognition,),
        # A spotter detects, too; spotting takes it, or a detector with a recogniser behind it.
        "text-detection": tuple(map(_own_auto_class, _AUTO_CLASSES)),
        "text-spotting": tuple(map(_own_auto_class, _AUTO_CLASSES)),
        "rotated-object-detection": (AutoModelForObjectDetection,),
    }
    for task, (class_path, checkpoint) in _PIPELINES.items():
        if task in PIPELINE_REGISTRY.supported_tasks:
            continue
        module, name = class_path.split(".")
        pipeline_class = getattr(importlib.import_module(f"tcm_hf.pipelines.{module}"), name)
        PIPELINE_REGISTRY.register_pipeline(
            task,
            pipeline_class=pipeline_class,
            pt_model=auto_classes[task],
            default={"model": (str(default_checkpoint(task)), "main") if checkpoint else _NoDefault(task)},
            type="image",
        )
        # `Pipeline.save_pretrained` would write this entry into config.json, and loading would look for our
        # Auto classes among those of transformers.
        del pipeline_class._registered_impl


class _NoDefault:
    """Stands where transformers looks for the default of a task that has none, and says so.

    Args:
        task: Name of the pipeline.
    """

    def __init__(self, task: str):
        self.task = task

    def __iter__(self) -> Iterator[str]:
        raise ValueError(
            f"No model for {self.task!r} ships with tcm_hf: give `pipeline({self.task!r}, model=...)` a "
            "checkpoint folder or Hub id."
        )


def _own_auto_class(name: str) -> Any:
    """One of `_AUTO_CLASSES`; built on first use because it needs transformers' factory."""
    if name not in globals():
        from transformers.models.auto.auto_factory import (
            _BaseAutoModelClass,
            _LazyAutoMapping,
            auto_class_update,
        )
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

        mapping = _LazyAutoMapping(CONFIG_MAPPING_NAMES, OrderedDict())
        auto_class = type(name, (_BaseAutoModelClass,), {"__module__": __name__, "_model_mapping": mapping})
        auto_class = auto_class_update(auto_class, head_doc=_AUTO_CLASSES[name][2])
        config, model = (getattr(sys.modules["tcm_hf"], of) for of in _AUTO_CLASSES[name][:2])
        auto_class.register(config, model)
        globals()[name] = auto_class
    return globals()[name]


def __getattr__(name: str):
    if name in _AUTO_CLASSES:
        return _own_auto_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
