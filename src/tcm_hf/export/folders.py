"""A checkpoint folder of exported programs: detector, recogniser, or a reader, which is both."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from tcm_hf.export.calibration import crops_of, photo_inputs
from tcm_hf.export.cards import export_card
from tcm_hf.export.formats import FORMATS, Source
from tcm_hf.export.requirements import check_installed
from tcm_hf.hub.folders import CARD
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
from tcm_hf.pipelines.recognizer_folder import RECOGNIZER_FOLDER, find_recognizer
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

DETECTOR, RECOGNIZER = "tcm", "clip4str"
_CLASSES: dict[str, tuple[Any, Any]] = {
    DETECTOR: (TCMForTextDetection, TCMImageProcessor),
    RECOGNIZER: (CLIP4STRForTextRecognition, CLIP4STRProcessor),
}


@dataclass(frozen=True)
class ExportedFile:
    """What was written.

    Attributes:
        format: A name of `FORMATS`.
        path: In the folder.
        num_bytes: Size, weights included.
        difference: The largest from PyTorch, see `tcm_hf.export.equality`; None for 8 bits.
    """

    format: str
    path: Path
    num_bytes: int
    difference: float | None


def export_checkpoint(
    source: str | Path,
    folder: str | Path,
    formats: Sequence[str] = ("onnx",),
    recognizer: str | Path | None = None,
    photos: Sequence[Any] = (),
) -> list[ExportedFile]:
    """Exports a model, and checks in five sizes that every program gives what PyTorch gives.

    The folder gets configuration, processor, card and programs; no weights for PyTorch. Where it is the
    checkpoint's own, the programs are put beside what is there. Nothing is written if something fails.

    Args:
        source: Checkpoint folder or Hub id of a text detector or a recogniser of words. A recogniser that was
            saved with a detector is exported with it.
        folder: Where to; made if it does not exist.
        formats: Names of [`FORMATS`][tcm_hf.export.formats].
        recognizer: A recogniser to export with a detector, to the folder "recognizer" in its folder, where
            `pipeline("text-spotting")` finds it.
        photos: For "onnx-int8", 10 to 30 pictures as they will come; anything that the image processor
            loads. A recogniser alone wants crops of words; with a detector it gets those that are found.

    Returns:
        The programs.

    Raises:
        ImportError: If a package is missing that a format needs.
        OSError: If there is no such checkpoint.
        ValueError: If there is no such format, a checkpoint is of another kind, or a program is not equal to
            its model.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f"`formats` must be of {', '.join(map(repr, FORMATS))}: got {unknown}.")
    check_installed(*dict.fromkeys(package for name in formats for package in FORMATS[name].packages))
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as name:
        staging = Path(name)
        first = _Checkpoint(source, DETECTOR if recognizer else None, formats)
        recognizer = recognizer or find_recognizer(first.model)
        second = _Checkpoint(recognizer, RECOGNIZER, formats) if recognizer is not None else None
        images = [first.load_rgb_image(photo) for photo in photos]
        files = first.export(staging, formats, images)
        if second is not None:
            crops = crops_of(first.model, first.processor, images) if images else []
            files += second.export(staging / RECOGNIZER_FOLDER, formats, crops)
        files = [_relative(file, staging) for file in files]
        for part, origin in ((Path(), source), (Path(RECOGNIZER_FOLDER), recognizer)):
            if (staging / part).is_dir():
                own = [file for file in files if (file.path.parts[0] == RECOGNIZER_FOLDER) == bool(part.name)]
                card = export_card(staging / part, str(origin), folder / part, own)
                (staging / part / CARD).write_text(card, encoding="utf-8")
        _move_into(staging, folder, keep_own=_is_same(source, folder))
    return files


class _Checkpoint:
    """A model with its processor, in float32.

    Args:
        source: Checkpoint folder or Hub id.
        wanted: The model type that will do; None for all that can be exported.
        formats: What it will be exported to.

    Raises:
        ValueError: For another type, or one that a format does not take.
    """

    def __init__(self, source: str | Path, wanted: str | None, formats: Sequence[str]):
        kind = AutoConfig.from_pretrained(source).model_type
        if kind not in _CLASSES or wanted not in (None, kind):
            expected = " or ".join([wanted] if wanted else _CLASSES)
            raise ValueError(f"{source}: expected a model of the type {expected}, found {kind!r}.")
        if refusing := [name for name in formats if kind not in FORMATS[name].model_types]:
            raise ValueError(f"{source}: there is no export of a {kind} model to {refusing[0]}.")
        model_class, processor_class = _CLASSES[kind]
        self.model = model_class.from_pretrained(source, dtype=torch.float32, backend="torch").eval()
        self.processor = processor_class.from_pretrained(source)

    def load_rgb_image(self, photo: Any) -> np.ndarray:
        """(H, W, 3) uint8, upright."""
        image_processor = getattr(self.processor, "image_processor", self.processor)
        return image_processor.load_rgb_image(photo)

    def export(
        self, folder: Path, formats: Sequence[str], photos: Sequence[np.ndarray]
    ) -> list[ExportedFile]:
        """Writes and checks the programs; configuration and processor beside them."""
        self.model.config.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        source, files = Source(self.model, photo_inputs(self.processor, photos)), []
        for name in formats:
            path = folder / FORMATS[name].file
            FORMATS[name].write(source, path)
            difference = FORMATS[name].check(source, path)
            parts = [path, *path.parent.glob(f"{path.name}.data"), *path.parent.glob(f"{path.stem}.bin")]
            num_bytes = sum(part.stat().st_size for part in parts)
            files.append(ExportedFile(name, path, num_bytes, difference))
        return files


def _relative(file: ExportedFile, folder: Path) -> ExportedFile:
    return ExportedFile(file.format, file.path.relative_to(folder), file.num_bytes, file.difference)


def _is_same(source: str | Path, folder: Path) -> bool:
    return folder.is_dir() and Path(source).is_dir() and folder.samefile(source)


def _move_into(staging: Path, folder: Path, keep_own: bool) -> None:
    """Moves all files to the folder; with `keep_own` what is there already stays, but for programs."""
    programs = {Path(form.file).parent.name for form in FORMATS.values()}
    for path in sorted(staging.rglob("*")):
        target = folder / path.relative_to(staging)
        is_program = path.parent.name in programs
        if path.is_file() and not (keep_own and target.exists() and not is_program):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
