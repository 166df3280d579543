"""The images with most mistakes, drawn with what was found, missed, misread and left out."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from tcm_hf.cli.drawing import Outline, draw_outlines
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.evaluation_files import image_name
from tcm_hf.cli.folder_writers import make_drawings_folder
from tcm_hf.evaluation.image_scores import worst_first
from tcm_hf.processing.image_suffixes import IMAGE_SUFFIXES
from tcm_hf.results.atomic import whole_file

if TYPE_CHECKING:
    from tcm_hf.cli.image_reports import ImageRow
    from tcm_hf.data.records import TextRecord

_FOUND = (0, 170, 60)
_MISSED = (230, 0, 40)
_FALSE_ALARM = (255, 150, 0)
_MISREAD = (200, 0, 220)
_LEFT_OUT = (150, 150, 150)
_LEGEND = (
    (_FOUND, "found"),
    (_MISSED, "missed"),
    (_FALSE_ALARM, "false alarm"),
    (_MISREAD, "misread"),
    (_LEFT_OUT, "do-not-care, left out"),
)


def find_photos(records: "Mapping[str, TextRecord]", folder: Path | None) -> dict[str, Path]:
    """The photos of annotated images, by name; not of those whose annotation holds the picture itself.

    Args:
        records: The images by name.
        folder: Where the photos lie, searched to the bottom, if not where the annotations name them.

    Raises:
        CommandError: A photo is not there, or two have its name.
    """
    below: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")) if folder else []:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            below[image_name(path)].append(path)
    photos: dict[str, Path] = {}
    for name, record in records.items():
        found = below.get(name, [record.image] if isinstance(record.image, Path) else [])
        if len(found) > 1:
            raise CommandError(f"--photos: {found[0]} and {found[1]} may both be {name}: leave one there")
        if found and not found[0].is_file():
            raise CommandError(
                f"--draw-worst: the photo {found[0]} is not there; --photos DIR says where it is"
            )
        photos.update((name, path) for path in found)
    return photos


def draw_worst(images: "Sequence[ImageRow]", count: int, folder: Path, photos: Mapping[str, Path]) -> None:
    """Draw the images with most mistakes, the worst first: `01_NAME.png`, `02_NAME.png` and so on.

    Args:
        images: All images of an evaluation.
        count: How many at most; those without a mistake are not drawn.
        folder: Where the drawings go; a new one is marked, so that a search for photos leaves it out.
        photos: As of `find_photos`.
    """
    places = worst_first([image.score for image in images])[:count]
    make_drawings_folder(folder)
    digits = max(2, len(str(len(places))))
    for rank, place in enumerate(places, start=1):
        image = images[place]
        image.record.image = photos.get(image.name, image.record.image)
        drawn = _with_legend(draw_outlines(image.record.load_image(), list(_outlines(image))), image)
        with whole_file(folder / f"{rank:0{digits}}_{image.name}.png") as path:
            drawn.save(path)
    print(f"{len(places)} of {len(images)} images drawn into {folder}/", file=sys.stderr)


def _outlines(image: "ImageRow") -> Iterator[Outline]:
    """Do-not-care first, so that no other outline is hidden; the texts of a pair only once."""
    verdict, found = image.score.verdict, image.found
    texts, polygons = image.record.texts, image.record.polygons_xy
    pairs = {prediction: text for text, prediction in verdict.pairs}
    misread = {
        prediction: text
        for prediction, text in pairs.items()
        if verdict.false_alarms[prediction] and verdict.missed[text]
    }
    for polygon, left_out in zip(polygons, verdict.ignored_texts, strict=True):
        if left_out:
            yield Outline(polygon.tolist(), _LEFT_OUT, dashed=True)
    for index, outline in enumerate(found.polygons):
        if verdict.ignored_predictions[index]:
            yield Outline(outline, _LEFT_OUT)
        elif not verdict.false_alarms[index]:
            share = float(verdict.prediction_credit[index])
            yield Outline(outline, _FOUND, label="" if share == 1 else f"{share:.2f}")
    for index in verdict.missed.nonzero()[0].tolist():
        if index not in misread.values():
            yield Outline(polygons[index].tolist(), _MISSED, label=texts[index] or "")
    for index in verdict.false_alarms.nonzero()[0].tolist():
        said = found.texts[index] or ""
        if index in misread:
            yield Outline(
                found.polygons[index], _MISREAD, label=f"{said or '(nothing)'} for {texts[misread[index]]}"
            )
        else:
            yield Outline(found.polygons[index], _FALSE_ALARM, label=said)


def _with_legend(drawn: Image.Image, image: "ImageRow") -> Image.Image:
    """The drawing with a line below that says what the colours mean."""
    size = max(12, round(max(drawn.size) / 70))
    font = ImageFont.load_default(size)
    sheet = Image.new("RGB", (drawn.width, drawn.height + 2 * size), "white")
    sheet.paste(drawn, (0, 0))
    canvas = ImageDraw.Draw(sheet)
    scores = image.score.scores
    name = image.name if image.name.isascii() else image.name.encode("ascii", "replace").decode()
    entries = [((0, 0, 0), f"{name}: P {scores['precision']:.2f} R {scores['recall']:.2f}"), *_LEGEND]
    x = size // 2
    for color, text in entries:
        canvas.text((x, drawn.height + size // 3), text, fill=color, font=font)
        x += round(canvas.textlength(text, font=font)) + size
    return sheet
