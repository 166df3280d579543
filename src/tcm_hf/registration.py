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

TASK = "text-detection"
MODEL_TYPE = "tcm"

_AUTO = "transformers.models.auto."
# What `transformers.models.auto.<module>` calls its tables, and our entry in each.
_NAMES: dict[str, dict[str, str | tuple[str, ...] | dict[str, str]]] = {
    "configuration_auto": {"CONFIG_MAPPING_NAMES": "TCMConfig"},
    "modeling_auto": {
        "MODEL_MAPPING_NAMES": ("TCMModel", "TCMForTextDetection"),
        "MODEL_FOR_BACKBONE_MAPPING_NAMES": "TCMModel",
        "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES": "TCMForTextDetection",
    },
    "image_processing_auto": {
        "IMAGE_PROCESSOR_MAPPING_NAMES": {"torchvision": "TCMImageProcessor", "pil": "TCMImageProcessorPil"}
    },
}


def default_checkpoint() -> Path:
    """Folder of the detector that ships with the package: `pipeline("text-detection")` without a model."""
    return Path(__file__).parent / "checkpoints" / "fasttcm-dbnet-tiny"


def register_lazily() -> None:
    """Makes the models and the pipeline known to transformers; costs nothing until they are used."""
    if any(_AUTO + module in sys.modules for module in _NAMES):
        register()
        return
    # Where transformers looks for the classes of a model type; tcm_hf loads its attributes on first use.
    sys.modules[f"transformers.models.{MODEL_TYPE}"] = sys.modules["tcm_hf"]
    for module in _NAMES:
        after_import(_AUTO + module, partial(_add_names, module))
    after_import("transformers.pipelines", register_pipelines)


def _add_names(module: str) -> None:
    tables = importlib.import_module(_AUTO + module)
    for table, entry in _NAMES[module].items():
        getattr(tables, table)[MODEL_TYPE] = entry


def register() -> None:
    """Registers every class now, through the public methods; may be called again."""
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

    AutoConfig.register(MODEL_TYPE, TCMConfig, exist_ok=True)
    # A tuple is resolved by `config.architectures`.
    AutoModel.register(TCMConfig, (TCMModel, TCMForTextDetection), exist_ok=True)
    AutoBackbone.register(TCMConfig, TCMModel, exist_ok=True)
    AutoModelForObjectDetection.register(TCMConfig, TCMForTextDetection, exist_ok=True)
    classes: dict[str, type] = {"torchvision": TCMImageProcessor, "pil": TCMImageProcessorPil}
    AutoImageProcessor.register(TCMConfig, image_processor_classes=classes, exist_ok=True)
    after_import("transformers.pipelines", register_pipelines)


def register_pipelines() -> None:
    """`pipeline("text-detection")`, with the shipped checkpoint as its default."""
    from transformers.pipelines import PIPELINE_REGISTRY

    from tcm_hf.pipelines.text_detection import TextDetectionPipeline

    if TASK in PIPELINE_REGISTRY.supported_tasks:
        return
    PIPELINE_REGISTRY.register_pipeline(
        TASK,
        pipeline_class=TextDetectionPipeline,
        pt_model=_auto_model_for_text_detection(),
        default={"model": (str(default_checkpoint()), "main")},
        type="image",
    )
    # `Pipeline.save_pretrained` would write this entry into config.json, and loading would look for our Auto
    # class among those of transformers.
    del TextDetectionPipeline._registered_impl  # type: ignore[attr-defined]


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
