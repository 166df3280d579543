"""CLIP weights become a folder of ours to start training from: model, processor and card, verified."""

from pathlib import Path

from tcm_hf.conversion.card import clip_start_card
from tcm_hf.conversion.clip4str_processor import clip4str_processor
from tcm_hf.conversion.from_clip import ClipStart, start_from_clip
from tcm_hf.conversion.saving import save_converted
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

DETECTOR_IMAGE_HW = (96, 160)


def convert_clip(
    source: str | Path,
    folder: str | Path,
    preset_or_config: str | TCMConfig | CLIP4STRConfig,
    activation: str | None = None,
    vocabulary: str | Path | None = None,
) -> ClipStart:
    """Writes a starting point for training as a folder that `from_pretrained` loads.

    Args:
        source: CLIP weights, see `from_clip`.
        folder: the folder to be; must not exist, or be empty. It appears only when everything is verified.
        preset_or_config: what to build, see `from_clip`.
        activation: see `from_clip`.
        vocabulary: see `from_clip`.

    Returns:
        The model as it was saved, its source and the report of the tensors.

    Raises:
        OSError: if there is no such file, or there is something in the folder.
        ValueError: if the source is no CLIP, or does not fit.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    start = start_from_clip(source, preset_or_config, activation, vocabulary)
    config = start.model.config
    processor: CLIP4STRProcessor | TCMImageProcessor | TCMRotatedImageProcessor
    if isinstance(config, CLIP4STRConfig):
        processor, size_hw = (
            clip4str_processor(config, vocabulary or start.source.vocabulary),
            config.image_size_hw,
        )
    elif isinstance(config, TCMRotatedDetectionConfig):
        processor, size_hw = TCMRotatedImageProcessor(), DETECTOR_IMAGE_HW
    else:
        processor, size_hw = _detector_processor(preset_or_config), DETECTOR_IMAGE_HW
    card = clip_start_card(start.model, start.source, start.report)
    save_converted(start.model, processor, card, folder, size_hw)
    return start


def _detector_processor(preset_or_config: object) -> TCMImageProcessor:
    if isinstance(preset_or_config, str) and preset_or_config in TCMImageProcessor.presets:
        return TCMImageProcessor.from_preset(preset_or_config)
    return TCMImageProcessor()


__all__ = ["convert_clip"]
