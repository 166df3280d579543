"""A TCM detector of ours becomes a checkpoint of the original's format again, for research code."""

from pathlib import Path
from typing import Any

import torch

from tcm_hf._version import __version__
from tcm_hf.conversion.keys_tcm import IMAGE_TOWERS, tcm_rules
from tcm_hf.conversion.mmcv_config import write_mmcv_config
from tcm_hf.conversion.original_names import to_original
from tcm_hf.conversion.safe_loading import load_checkpoint
from tcm_hf.conversion.tcm_processing import (
    upstream_postprocessor,
    upstream_test_data,
    without_counterpart,
)
from tcm_hf.conversion.upstream_config import upstream_model_config
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

NO_COUNTERPART = (
    "FastTCM's equation 9 has no counterpart in the original's code, which projects the image with `pix_w`: "
    "the file holds no pix_w."
)


def original_checkpoint(
    model: TCMForTextDetection,
    vocabulary: str | Path | None = None,
    image_processor: TCMImageProcessor | None = None,
) -> dict[str, Any]:
    """A detector as mmcv's runner saves the original's.

    Every tensor is what `convert_tcm` was given, to the bit. The original also builds parts that its
    configuration does not use (a context decoder, `gamma`); these are not ours to give, and mmcv reports
    them as missing when it loads the file.

    Args:
        model: the detector.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; needed only to spell
            prompts that are not of the released configurations.
        image_processor: of the detector; its sizes, normalisation and thresholds go into the configuration.

    Returns:
        `meta` with the original's configuration of the model, and of its test pictures if an image processor
        is given, as text (`config`) and the ids of the prompts
        (`prompt_token_ids`); `state_dict` with plain tensors on the CPU.

    Raises:
        ValueError: if the text tower was replaced by a cached embedding, or the original has no such image
            tower.
    """
    config = model.config
    if config.text_embedding_cached:
        raise ValueError(
            "This detector holds a cached text embedding in place of its text tower and prompts, from which "
            "there is no way back: export the checkpoint that it was made of."
        )
    if (tower := config.image_tower_config.tower_type) not in IMAGE_TOWERS:
        raise ValueError(
            f"The original has no image tower {tower!r}: only detectors with CLIP's ResNet or vision "
            f"transformer ({', '.join(IMAGE_TOWERS)}) can be exported."
        )
    state = to_original(model.state_dict(), tcm_rules(tower, config.head_config.head_type))
    configuration: dict[str, Any] = {"model": upstream_model_config(config, vocabulary)}
    if image_processor is not None:
        postprocessor = upstream_postprocessor(image_processor, config.head_config.head_type)
        configuration["model"]["bbox_head"]["postprocessor"] = postprocessor
        configuration["data"] = {"test": upstream_test_data(image_processor)}
    meta: dict[str, Any] = {
        "tcm_hf_version": __version__,
        "config": write_mmcv_config(configuration),
        "CLASSES": tuple(str(label) for label in (config.id2label or {}).values()),
    }
    if config.method != "baseline" and config.prompt_token_ids is not None:
        meta["prompt_token_ids"] = config.prompt_token_ids
    return {
        "meta": meta,
        "state_dict": {name: tensor.detach().cpu().clone() for name, tensor in state.items()},
    }


def export_state_dict(
    model: TCMForTextDetection,
    path: str | Path,
    vocabulary: str | Path | None = None,
    image_processor: TCMImageProcessor | None = None,
) -> list[str]:
    """Writes `original_checkpoint` to a file and reads it again.

    Args:
        model: the detector.
        path: the file to be.
        vocabulary: see `original_checkpoint`.
        image_processor: see `original_checkpoint`.

    Returns:
        What whoever loads the file with the original's code should know.

    Raises:
        OSError: if the file cannot be written.
        ValueError: as `original_checkpoint`.
        RuntimeError: if what was written is not the same.
    """
    checkpoint = original_checkpoint(model, vocabulary, image_processor)
    torch.save(checkpoint, path)
    written, wanted = load_checkpoint(path).tensors, checkpoint["state_dict"]
    if written.keys() != wanted.keys() or not all(
        torch.equal(written[name], tensor) for name, tensor in wanted.items()
    ):
        raise RuntimeError(f"{path} holds other tensors than were written: is the disk full?")
    config = model.config
    notes = [NO_COUNTERPART] if config.method == "fasttcm" and not config.similarity_projection else []
    if image_processor is not None:
        notes += without_counterpart(image_processor, config.head_config.head_type)
    return notes


__all__ = ["export_state_dict", "original_checkpoint"]
