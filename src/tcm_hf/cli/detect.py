"""`tcm-hf detect`: find the text in images, or objects that lie any way round; polygons and pictures."""

import argparse
from typing import TYPE_CHECKING, Any

from tcm_hf import default_checkpoint
from tcm_hf.cli.arguments import probability
from tcm_hf.cli.detect_rotated import RotatedJob
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import DETECTOR, SPOTTER, check_model_name, load_pipeline
from tcm_hf.cli.output_formats import COCO, ICDAR, JSON, JSON_LINES, LABELME
from tcm_hf.cli.photo_arguments import (
    DETECTION_PARAMETERS,
    add_backend_argument,
    add_detection_arguments,
    add_device_arguments,
    add_model_argument,
    add_output_arguments,
    add_photo_parser,
    add_picture_arguments,
    loading_options,
)
from tcm_hf.cli.photo_jobs import PhotoJob, run_photo_job
from tcm_hf.results.pipeline_facts import effective_detection_params
from tcm_hf.results.records import DETECTIONS

if TYPE_CHECKING:
    import numpy as np

    from tcm_hf.pipelines.text_detection import TextDetectionPipeline

FORMATS = {"json": JSON, "jsonl": JSON_LINES, "icdar": ICDAR, "coco": COCO, "labelme": LABELME}


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_photo_parser(
        subparsers,
        "detect",
        "find the text in images, or objects in photos from above",
        "Find the text in images and PDF pages, or with --task rotated objects that lie any way round.",
    )
    parser.add_argument(
        "--task", choices=tuple(JOBS), default="text", help="what the model finds (default: %(default)s)"
    )
    add_output_arguments(parser, FORMATS | RotatedJob.formats, "json")
    add_picture_arguments(parser, "the polygons")
    detection = parser.add_argument_group("detection (default: as stored with the model)")
    add_detection_arguments(detection)
    detection.add_argument("--sort", choices=("score", "reading"), help="order of the texts (default: score)")
    detection.add_argument(
        "--nms-threshold",
        type=probability,
        metavar="P",
        help="--task rotated: boxes of a class that overlap more are one object",
    )
    model = parser.add_argument_group("model")
    add_model_argument(model, "--model", "the detector")
    add_device_arguments(model, "images", batch_size=1)
    add_backend_argument(model)


def run(arguments: argparse.Namespace) -> int:
    """Find the texts or objects in the images that the arguments name; returns the exit code.

    Raises:
        CommandError: For a mistake in the arguments, among them an option of another task.
    """
    job = JOBS[arguments.task]
    foreign = {name for other in JOBS.values() for name in other.own_options} - set(job.own_options)
    for name in sorted(foreign):
        if getattr(arguments, name) is not None:
            raise CommandError(f"--{name.replace('_', '-')} is not for --task {arguments.task}")
    if arguments.format not in (None, *job.formats):
        known = ", ".join(job.formats)
        raise CommandError(f"--format {arguments.format} is not for --task {arguments.task}: take {known}")
    return run_photo_job(job(arguments))


class DetectJob(PhotoJob):
    """Polygons around the texts of photos."""

    kind = DETECTIONS
    noun = "texts"
    formats = FORMATS
    own_options = ("binarize_threshold", "unclip_ratio", "polygon_mode", "sort")

    def load(self) -> "TextDetectionPipeline":
        """The detector."""
        return _load_detector(self.arguments)

    def model_ids(self, pipeline: Any = None) -> dict[str, str]:
        """The detector's."""
        return {"id": self.arguments.model or default_checkpoint().name}

    def asked_params(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        asked = {name: getattr(self.arguments, name) for name in DETECTION_PARAMETERS}
        return {**asked, "sort": self.arguments.sort or "score"}

    def effective_params(self, pipeline: "TextDetectionPipeline") -> dict[str, Any]:
        """As asked for, or else as stored with the detector."""
        return effective_detection_params(self.asked_params(), pipeline)

    def call_params(self) -> dict[str, Any]:
        """As the pipeline takes them."""
        return detection_call_params(self.asked_params())

    def for_page(self, params: dict[str, Any]) -> dict[str, Any]:
        """Pages are cut in tiles unless it was asked for something else."""
        return page_params(params, self.arguments)

    def draw(self, pixels: "np.ndarray", found: list[dict]) -> Any:
        """The polygons with their scores."""
        from tcm_hf.cli.drawing import draw_detections

        return draw_detections(pixels, found)


JOBS: dict[str, type[DetectJob] | type[RotatedJob]] = {"text": DetectJob, "rotated": RotatedJob}


def detection_call_params(asked: dict[str, Any]) -> dict[str, Any]:
    """Parameters as the detector takes them: to it, no tiles are `None`."""
    return {**asked, "tile": None if asked["tile"] == "off" else asked["tile"]}


def page_params(params: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Parameters for a page of a PDF: its letters are small, so that its default is to be cut in tiles."""
    return {**params, "tile": "auto"} if "tile" in params and arguments.tile is None else params


def _load_detector(arguments: argparse.Namespace) -> "TextDetectionPipeline":
    model = arguments.model or str(default_checkpoint())
    check_model_name("--model", model, DETECTOR, SPOTTER)
    return load_pipeline("text-detection", model, **loading_options(arguments))
