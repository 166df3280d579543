"""The processor of a CLIP4STR model that captions with CLIP's own vocabulary."""

from pathlib import Path
from typing import Any

from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor


def clip4str_processor(
    config: CLIP4STRConfig, vocabulary: str | Path | None = None, **image_settings: Any
) -> CLIP4STRProcessor:
    """Image processor, character tokenizer and, with a cross branch, the tokenizer of captions.

    Args:
        config: tells image size, characters, longest word and caption length.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`.
        **image_settings: attributes of the image processor other than its size.
    """
    captions = load_clip_vocabulary(vocabulary) if config.use_cross_branch else None
    return CLIP4STRProcessor.for_config(config, captions, **image_settings)


__all__ = ["clip4str_processor"]
