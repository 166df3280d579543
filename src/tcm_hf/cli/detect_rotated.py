"""`tcm-hf detect --task rotated`: objects that lie any way round, for example in photos from above."""

from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import ROTATED, check_model_name, load_pipeline
from tcm_hf.cli.output_formats import COCO, DOTA, JSON, JSON_LINES, LABELME
from tcm_hf.cli.photo_arguments import loading_options
from tcm_hf.cli.photo_jobs import PhotoJob
from tcm_hf.results.records import OBJECTS

if TYPE_CHECKING:
    import numpy as np

    from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline

_PARAMETERS = ("threshold", "nms_threshold", "max_detections", "tile")


class RotatedJob(PhotoJob):
    """Turned boxes with class names of what is in photos."""

    kind = OBJECTS
    noun = "objects"
    formats = {"json": JSON, "jsonl": JSON_LINES, "dota": DOTA, "coco": COCO, "labelme": LABELME}
    own_options = ("nms_threshold",)

    class_names: list[str]

    def load(self) -> "RotatedObjectDetectionPipeline":
        """The detector.

        Raises:
            CommandError: If it cannot be loaded, or its classes cannot name the files that are asked for.
        """
        pipeline = _load_detector(self.arguments.model, self.arguments)
        labels: Any = pipeline.model.config.id2label
        self.class_names = [labels[index] for index in sorted(labels)]
        if self.arguments.format == "dota":
            _check_file_names(self.class_names)
        return pipeline

    def model_ids(self, pipeline: Any = None) -> dict[str, str]:
        """The detector's.

        Raises:
            CommandError: If none is named.
        """
        if self.arguments.model is None:
            raise CommandError("--task rotated needs --model: no such detector ships with the package")
        return {"id": self.arguments.model}

    def asked_params(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        return {name: getattr(self.arguments, name) for name in _PARAMETERS}

    def effective_params(self, pipeline: "RotatedObjectDetectionPipeline") -> dict[str, Any]:
        """As asked for, or else as stored with the detector; and the classes that it knows."""
        stored = {name: getattr(pipeline.image_processor, name, None) for name in _PARAMETERS}
        asked = {name: value for name, value in self.asked_params().items() if value is not None}
        candidates = {"candidate_threshold": pipeline.image_processor.candidate_threshold}
        return {**stored, **asked, **candidates, "classes": self.class_names}

    def call_params(self) -> dict[str, Any]:
        """As the pipeline takes them: to it, no tiles are `None`."""
        asked = self.asked_params()
        return {**asked, "tile": None if asked["tile"] == "off" else asked["tile"]}

    def for_page(self, params: dict[str, Any]) -> dict[str, Any]:
        """Pages are cut in tiles unless it was asked for something else."""
        return {**params, "tile": "auto"} if "tile" in params and self.arguments.tile is None else params

    def draw(self, pixels: "np.ndarray", found: list[dict]) -> Any:
        """The polygons with their classes and scores."""
        from tcm_hf.cli.drawing import draw_objects

        return draw_objects(pixels, found, self.class_names)


def _check_file_names(class_names: list[str]) -> None:
    """Before hours of work, and not at their end."""
    from tcm_hf.data.dota import task1_names

    try:
        task1_names(class_names)
    except ValueError as error:
        raise CommandError(f"--format dota: {error}") from error


def _load_detector(model: str, arguments: Any) -> "RotatedObjectDetectionPipeline":
    check_model_name("--model", model, ROTATED)
    return load_pipeline("rotated-object-detection", model, **loading_options(arguments))
