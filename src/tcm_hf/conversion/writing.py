"""A converted model of TCM's code is written with its image processor and its card."""

from collections.abc import Callable
from pathlib import Path

from tcm_hf.conversion.card import converted_card
from tcm_hf.conversion.filling import Converted
from tcm_hf.conversion.safe_loading import Checkpoint
from tcm_hf.conversion.saving import save_converted
from tcm_hf.conversion.tcm_processing import ToldProcessing

VERIFIED_IMAGE_HW = (96, 160)


def write_converted(
    converted: Converted,
    read: Checkpoint,
    tell_processing: Callable[[], ToldProcessing],
    folder: str | Path,
) -> Converted:
    """Writes the folder, if everything can be verified.

    Args:
        converted: the model; a note on its image processing is added.
        read: the checkpoint that it was made of.
        tell_processing: makes the image processor.
        folder: the folder to be; must not exist, or be empty.

    Returns:
        The same, for the caller's return.

    Raises:
        OSError: if there is something in the folder.
        ValueError: if the checkpoint's configuration says impossible settings.
    """
    try:
        told = tell_processing()
    except ValueError as error:
        raise ValueError(f"{read.path} cannot be converted: {error}") from error
    converted.notes["image processing"] = told.note
    card = converted_card(converted.model, read, converted.report, converted.notes)
    save_converted(converted.model, told.processor, card, folder, VERIFIED_IMAGE_HW)
    return converted


__all__ = ["write_converted"]
