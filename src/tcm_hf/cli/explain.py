"""`tcm-hf explain`: draw what CLIP sees in images on the way to the polygons."""

import argparse
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf import default_checkpoint
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import PictureFileWriter, PictureFolderWriter
from tcm_hf.cli.load_models import DETECTOR, check_model_name, load_pipeline
from tcm_hf.cli.output_formats import OutputFormat
from tcm_hf.cli.photo_arguments import (
    DECODING_PARAMETERS,
    add_decoding_arguments,
    add_device_arguments,
    add_model_argument,
    add_page_arguments,
    add_photo_parser,
    loading_options,
)
from tcm_hf.cli.photo_jobs import PhotoJob, run_photo_job
from tcm_hf.results.records import Record, RecordKind, record_header

if TYPE_CHECKING:
    from tcm_hf.pipelines.text_explanation import TextExplanationPipeline

MAX_PANEL_PX = 4096
# What a figure of ours carries, so that it may be drawn again and a photo may not be overwritten.
MARK = ("Software", "tcm-hf explain")
OTHER_PICTURES = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg", ".pdf")

EXPLANATIONS = RecordKind("tcm_hf.explanation/1", "explain", "explanations")


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_photo_parser(
        subparsers,
        "explain",
        "draw what CLIP sees in images",
        "Draw image embedding, visual prompt, matching map and result side by side, as figure 7 of the TCM "
        "paper does, for images and PDF pages.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("explained"),
        metavar="DIR|FILE",
        help="a picture per image in DIR, or one .png FILE for one image (default: %(default)s/)",
    )
    parser.add_argument(
        "--panel-size",
        type=_panel_size,
        default=640,
        metavar="N",
        help=f"longer side of each of the four panels in pixels, 64 to {MAX_PANEL_PX} (default: %(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    add_page_arguments(parser)
    add_decoding_arguments(parser.add_argument_group("result (default: as stored with the model)"))
    model = parser.add_argument_group("model")
    add_model_argument(model, "--model", "a TCM or FastTCM detector")
    add_device_arguments(model, "images", batch_size=1)


def run(arguments: argparse.Namespace) -> int:
    """Draw the figures of the images that the arguments name; returns the exit code."""
    check_output(arguments.output)
    return run_photo_job(ExplainJob(arguments))


def check_output(output: Path) -> None:
    """Raises CommandError for a file that is no figure of ours, or would be none."""
    if output.suffix.lower() in OTHER_PICTURES and not output.is_dir():
        raise CommandError(f"--output {output}: figures are .png files; give one, or a folder")
    if output.is_file() and not is_figure(output):
        raise CommandError(f"--output {output} is a file that tcm-hf explain did not draw: give another name")


def is_figure(path: Path) -> bool:
    """Whether a file was drawn by this verb."""
    from PIL import Image

    name, value = MARK
    try:
        with Image.open(path) as picture:
            return picture.info.get(name) == value
    except OSError:  # no picture at all
        return False


def render_png(record: Record) -> bytes:
    """The figure of a record as a PNG file."""
    from PIL.PngImagePlugin import PngInfo

    encoded, mark = io.BytesIO(), PngInfo()
    mark.add_text(*MARK)
    record["figure"].save(encoded, "PNG", pnginfo=mark)
    return encoded.getvalue()


def _panel_size(text: str) -> int:
    if not text.isdecimal() or not 64 <= int(text) <= MAX_PANEL_PX:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 64 to {MAX_PANEL_PX}")
    return int(text)


FORMATS = {
    "png": OutputFormat(
        ".png",
        to_file=partial(PictureFileWriter, render=render_png),
        to_folder=partial(PictureFolderWriter, render=render_png, suffix=".png"),
    )
}


class ExplainJob(PhotoJob):
    """A figure of each photo."""

    kind = EXPLANATIONS
    noun = "texts"
    formats = FORMATS

    def load(self) -> "TextExplanationPipeline":
        """The detector that explains itself."""
        arguments = self.arguments
        model = arguments.model or str(default_checkpoint())
        check_model_name("--model", model, DETECTOR)
        from tcm_hf.pipelines.text_explanation import TextExplanationPipeline

        options = loading_options(arguments)
        return load_pipeline("text-detection", model, pipeline_class=TextExplanationPipeline, **options)

    def model_ids(self, pipeline: Any = None) -> dict[str, str]:
        """The detector's."""
        return {"id": self.arguments.model or default_checkpoint().name}

    def asked_params(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        return {name: getattr(self.arguments, name) for name in DECODING_PARAMETERS}

    def effective_params(self, pipeline: "TextExplanationPipeline") -> dict[str, Any]:
        """As asked for: a figure does not tell them."""
        return self.asked_params()

    def record(
        self, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any], found: Any
    ) -> Record:
        """A header with the figure."""
        from tcm_hf.cli.figures import figure_of

        figure = figure_of(found, panel_px=self.arguments.panel_size)
        return {**record_header(self.kind, source, model, params), "figure": figure}

    def count(self, found: Any) -> int:
        """The texts of the result."""
        return len(found["detections"])
