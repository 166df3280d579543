"""tcm_hf: scene text detection, recognition and spotting with CLIP, the Hugging Face way.

`import tcm_hf` registers the models (TCM, FastTCM, CLIP4STR) with transformers' Auto classes, and the tasks
"text-detection", "text-recognition", "text-spotting" and "rotated-object-detection" with its pipelines. The
public names are imported when they are first used, so the import itself loads neither torch nor transformers.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tcm_hf._version import __version__

_PUBLIC = {
    "AutoModelForTextDetection": "tcm_hf.registration",
    "AutoModelForTextSpotting": "tcm_hf.registration",
    "CLEvalMetric": "tcm_hf.evaluation.cleval",
    "CLIP4STRConfig": "tcm_hf.modeling.configuration_clip4str",
    "CLIP4STRForTextRecognition": "tcm_hf.modeling.modeling_clip4str",
    "CLIP4STRImageProcessor": "tcm_hf.processing.image_processing_clip4str",
    "CLIP4STRImageProcessorPil": "tcm_hf.processing.image_processing_clip4str",
    "CLIP4STRProcessor": "tcm_hf.processing.processing_clip4str",
    "CharacterTokenizer": "tcm_hf.processing.tokenization_clip4str",
    "FastTCMForTextSpotting": "tcm_hf.modeling.modeling_tcm_spotting",
    "RotatedDetectionMetric": "tcm_hf.evaluation.rotated",
    "RotatedDetectionTrainer": "tcm_hf.training.rotated_trainer",
    "RotatedDetectionTrainingArguments": "tcm_hf.training.arguments",
    "RotatedObjectDetectionPipeline": "tcm_hf.pipelines.rotated_object_detection",
    "TCMConfig": "tcm_hf.modeling.configuration_tcm",
    "TCMForRotatedObjectDetection": "tcm_hf.modeling.modeling_rotated",
    "TCMForTextDetection": "tcm_hf.modeling.modeling_tcm",
    "TCMImageProcessor": "tcm_hf.processing.image_processing_tcm",
    "TCMImageProcessorPil": "tcm_hf.processing.image_processing_tcm",
    "TCMModel": "tcm_hf.modeling.modeling_tcm",
    "TCMRotatedDetectionConfig": "tcm_hf.modeling.configuration_rotated",
    "TCMRotatedImageProcessor": "tcm_hf.processing.image_processing_rotated",
    "TCMRotatedImageProcessorPil": "tcm_hf.processing.image_processing_rotated",
    "TCMSpottingConfig": "tcm_hf.modeling.configuration_tcm_spotting",
    "TCMSpottingImageProcessor": "tcm_hf.processing.image_processing_spotting",
    "TCMSpottingImageProcessorPil": "tcm_hf.processing.image_processing_spotting",
    "TIoUMetric": "tcm_hf.evaluation.detection",
    "TextDetectionMetric": "tcm_hf.evaluation.detection",
    "TextDetectionPipeline": "tcm_hf.pipelines.text_detection",
    "TextDetectionTrainer": "tcm_hf.training.trainer",
    "TextDetectionTrainingArguments": "tcm_hf.training.arguments",
    "TextExplanationPipeline": "tcm_hf.pipelines.text_explanation",
    "TextRecognitionMetric": "tcm_hf.evaluation.recognition",
    "TextRecognitionPipeline": "tcm_hf.pipelines.text_recognition",
    "TextRecognitionTrainer": "tcm_hf.training.recognition_trainer",
    "TextRecognitionTrainingArguments": "tcm_hf.training.recognition_arguments",
    "TextSpottingMetric": "tcm_hf.evaluation.spotting",
    "TextSpottingPipeline": "tcm_hf.pipelines.text_spotting",
    "TextSpottingTrainer": "tcm_hf.training.spotting_trainer",
    "class_prompts": "tcm_hf.conversion.class_prompts",
    "default_checkpoint": "tcm_hf.registration",
    "from_clip": "tcm_hf.conversion.from_clip",
    "load_corpus": "tcm_hf.data.corpora.loading",
    "register": "tcm_hf.registration",
    "save_with_code": "tcm_hf.hub",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from tcm_hf.conversion.class_prompts import class_prompts
    from tcm_hf.conversion.from_clip import from_clip
    from tcm_hf.data.corpora.loading import load_corpus
    from tcm_hf.evaluation.cleval import CLEvalMetric
    from tcm_hf.evaluation.detection import TextDetectionMetric, TIoUMetric
    from tcm_hf.evaluation.recognition import TextRecognitionMetric
    from tcm_hf.evaluation.rotated import RotatedDetectionMetric
    from tcm_hf.evaluation.spotting import TextSpottingMetric
    from tcm_hf.hub import save_with_code
    from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
    from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
    from tcm_hf.modeling.configuration_tcm import TCMConfig
    from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
    from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
    from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection, TCMModel
    from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
    from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline
    from tcm_hf.pipelines.text_detection import TextDetectionPipeline
    from tcm_hf.pipelines.text_explanation import TextExplanationPipeline
    from tcm_hf.pipelines.text_recognition import TextRecognitionPipeline
    from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
    from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessor, CLIP4STRImageProcessorPil
    from tcm_hf.processing.image_processing_rotated import (
        TCMRotatedImageProcessor,
        TCMRotatedImageProcessorPil,
    )
    from tcm_hf.processing.image_processing_spotting import (
        TCMSpottingImageProcessor,
        TCMSpottingImageProcessorPil,
    )
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor, TCMImageProcessorPil
    from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
    from tcm_hf.processing.tokenization_clip4str import CharacterTokenizer
    from tcm_hf.registration import (
        AutoModelForTextDetection,
        AutoModelForTextSpotting,
        default_checkpoint,
        register,
    )
    from tcm_hf.training.arguments import RotatedDetectionTrainingArguments, TextDetectionTrainingArguments
    from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
    from tcm_hf.training.recognition_trainer import TextRecognitionTrainer
    from tcm_hf.training.rotated_trainer import RotatedDetectionTrainer
    from tcm_hf.training.spotting_trainer import TextSpottingTrainer
    from tcm_hf.training.trainer import TextDetectionTrainer


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tcm_hf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if find_spec("tcm_hf.registration"):  # the reader for small machines comes without models to register
    from tcm_hf.registration import register_lazily

    register_lazily()
