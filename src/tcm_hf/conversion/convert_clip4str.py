"""A published CLIP4STR checkpoint becomes a folder of ours: model, processor and card, verified."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub.errors import StrictDataclassError

from tcm_hf.conversion.card import clip4str_card
from tcm_hf.conversion.clip4str_processor import clip4str_processor
from tcm_hf.conversion.clip4str_sizes import clip4str_config_of
from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.conversion.key_report import KeyReport, first_problems, fit_tensors
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_clip import ABSENT_WITHOUT_CROSS_BRANCH, IGNORABLE_FOR_CLIP4STR
from tcm_hf.conversion.keys_clip4str import CLIP4STR
from tcm_hf.conversion.keys_clip4str_adapter import STR_ADAPTER
from tcm_hf.conversion.original_names import in_original_names
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.saving import save_converted
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.processing.image_processing_clip4str import UPSTREAM_TEST_NORMALIZATION
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

Normalization = Literal["clip", "half"]
"""CLIP's statistics of images, as in training; or mean and deviation 0.5, as in upstream's test script."""

NORMALIZATIONS: dict[str, dict] = {"clip": {}, "half": UPSTREAM_TEST_NORMALIZATION}

FRESH = {r"caption_tokenizer\..+": "the caption vocabulary is read from its own files"}


@dataclass
class Converted:
    """A checkpoint as a model of ours.

    Args:
        model: the model with its caption vocabulary, in eval mode.
        processor: its processor.
        checkpoint: what was read.
        report: which tensors were taken and which left out.
    """

    model: CLIP4STRForTextRecognition
    processor: CLIP4STRProcessor
    checkpoint: Checkpoint
    report: KeyReport


def convert_clip4str(
    checkpoint: str | Path,
    folder: str | Path,
    preset: str | None = None,
    vocabulary: str | Path | None = None,
    normalization: Normalization = "clip",
    charset: str | None = None,
) -> Converted:
    """Converts a published CLIP4STR checkpoint and writes it as a folder that `from_pretrained` loads.

    Args:
        checkpoint: Lightning `.ckpt`, bare `.pt` or safetensors with upstream's names, of the recogniser
            (VL4STR) or of the experiments with adapters (STRAdapter).
        folder: the folder to be; must not exist, or be empty. It appears only when everything is verified.
        preset: name of the published model that it should be (`clip4str-base`, …); the size is then compared
            with it. None takes any size.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`.
        normalization: `"clip"` normalises images as in training; `"half"` as upstream's test script, with
            which its published numbers were measured.
        charset: the characters in the order of their ids, for a model that reads another set than the
            benchmarks' 36, 62 or 94 and does not say which.

    Returns:
        The model as it was saved, with its processor and the report of the tensors.

    Raises:
        OSError: if there is no such file, or there is something in the folder.
        ValueError: if it is no such checkpoint; `KeyMismatchError` names every tensor that does not fit.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    converted = load_clip4str(checkpoint, preset, vocabulary, normalization, charset)
    card = clip4str_card(converted.model, converted.checkpoint, converted.report, normalization)
    size_hw = converted.model.config.image_size_hw
    save_converted(converted.model, converted.processor, card, folder, size_hw)
    return converted


def load_clip4str(
    checkpoint: str | Path,
    preset: str | None = None,
    vocabulary: str | Path | None = None,
    normalization: Normalization = "clip",
    charset: str | None = None,
) -> Converted:
    """As [`convert_clip4str`], without writing anything."""
    read = load_checkpoint(checkpoint)
    is_adapter = not any(name.startswith("visual_decoder.") for name in read.tensors)
    rules = STR_ADAPTER if is_adapter else CLIP4STR
    renamed = apply_rules(read.tensors, rules, IGNORABLE_FOR_CLIP4STR)
    try:
        config = clip4str_config_of(renamed.tensors, read.settings, charset, preset, is_adapter)
    except (ValueError, StrictDataclassError) as error:
        reason = in_original_names(str(error).rstrip("."), rules)
        raise ValueError(f"{read.path} cannot be converted: {reason}.{first_problems(renamed)}") from error
    model = CLIP4STRForTextRecognition(config).eval()
    absent = None if config.use_cross_branch else ABSENT_WITHOUT_CROSS_BRANCH
    state, report = fit_tensors(renamed, model.state_dict(), str(read.path), FRESH, absent)
    model.load_state_dict(state)
    if config.use_cross_branch:
        model.set_caption_vocabulary(*load_clip_vocabulary(vocabulary))
    processor = clip4str_processor(config, vocabulary, **NORMALIZATIONS[normalization])
    return Converted(model, processor, read, report)


__all__ = ["Converted", "convert_clip4str", "load_clip4str"]
