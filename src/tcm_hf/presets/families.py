"""The kinds of models that have presets: config, model and image processor of each."""

from typing import Any, NamedTuple

from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting
from tcm_hf.processing.image_processing_clip4str import CLIP4STRImageProcessor
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor


class PresetFamily(NamedTuple):
    """One kind of model; its config and its image processor have `presets` and `from_preset`."""

    config: Any
    model: Any
    image_processor: Any


FAMILIES = (
    PresetFamily(TCMConfig, TCMForTextDetection, TCMImageProcessor),
    PresetFamily(TCMSpottingConfig, FastTCMForTextSpotting, TCMSpottingImageProcessor),
    PresetFamily(TCMRotatedDetectionConfig, TCMForRotatedObjectDetection, TCMRotatedImageProcessor),
    PresetFamily(CLIP4STRConfig, CLIP4STRForTextRecognition, CLIP4STRImageProcessor),
)


def family_of(preset: str) -> PresetFamily:
    """The kind of model that a preset is of.

    Raises:
        ValueError: if there is no such preset.
    """
    for family in FAMILIES:
        if preset in family.config.presets:
            return family
    raise ValueError(f"There is no preset {preset!r}: `tcm-hf presets` lists all.")


__all__ = ["FAMILIES", "PresetFamily", "family_of"]
