"""A folder of results as DOTA's server takes them: one file a class with the objects of all images."""

from pathlib import Path

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.inputs import ImageInput
from tcm_hf.cli.writers import FileWriter
from tcm_hf.results.records import RecordKind, parse_json_lines, render_json_lines


class Task1Writer(FileWriter):
    """`Task1_<class>.txt` for every class the detector knows, with `image score x1 y1 … x4 y4` a line.

    The records stay beside them in `objects.run.jsonl`, from which a run that resumes starts.
    """

    def __init__(self, folder: Path, kind: RecordKind):
        records = folder / f"{kind.plural}.run.jsonl"
        super().__init__(records, kind, render=render_json_lines, parse=parse_json_lines)
        self.folder = folder
        self._images: dict[str, ImageInput] = {}

    def path_of(self, image: ImageInput) -> Path:
        """The file of the records.

        Raises:
            CommandError: For a second image of the same name: a line names its image by the stem alone.
        """
        name = _line_name(image.path.as_posix(), image.page)
        first = self._images.setdefault(name, image)
        if first != image:
            raise CommandError(
                f"--format dota would call both {first.path} and {image.path} {name}: rename one"
            )
        return super().path_of(image)

    def __exit__(self, exception_type: type | None, *exception: object) -> None:
        super().__exit__(exception_type, *exception)
        if exception_type is None and self.records:
            self._write_classes(self.records[-1]["params"]["classes"])

    def _write_classes(self, class_names: list[str]) -> None:
        import numpy as np

        from tcm_hf.data.dota import write_task1

        detections = {}
        for record in self.records:
            found = record["instances"]
            detections[_line_name(record["source"]["path"], record["source"].get("page"))] = (
                np.array([instance["polygon"] for instance in found]).reshape(-1, 4, 2),
                np.array([instance["score"] for instance in found]),
                np.array([class_names.index(instance["label"]) for instance in found], dtype=int),
            )
        write_task1(self.folder, detections, class_names)

    def __str__(self) -> str:
        return f"{self.folder}/"


def _line_name(path: str, page: int | None) -> str:
    """How a line names an image: one word."""
    from tcm_hf.data.dota import image_code

    name = image_code(Path(path).stem)
    return name if page is None else f"{name}-p{page}"
