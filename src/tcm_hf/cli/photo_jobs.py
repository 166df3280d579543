"""The run of a verb over photos: inputs, one pipeline, results, pictures, resuming, the summary."""

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import FolderWriter, make_drawings_folder
from tcm_hf.cli.inputs import ImageInput, expand_inputs
from tcm_hf.cli.output_formats import OutputFormat, is_file_name, make_writer
from tcm_hf.cli.pdf_pages import is_pdf, page_count, render_page
from tcm_hf.cli.writers import FileWriter, Writer
from tcm_hf.results.atomic import whole_file
from tcm_hf.results.pipeline_facts import model_facts
from tcm_hf.results.records import Record, RecordKind, image_record, image_source

if TYPE_CHECKING:
    import numpy as np

EXIT_SOME_FAILED = 3


class PhotoJob:
    """One run of a verb over photos. A verb says here what is its own; `run_photo_job` does the rest.

    Attributes:
        kind: What the verb finds.
        noun: What its summary counts.
        formats: What it writes, by the name of `--format`; the first is the default.
        arguments: The parsed arguments, with those of `photo_arguments.py`.
    """

    kind: RecordKind
    noun: str
    formats: Mapping[str, OutputFormat]

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments

    def load(self) -> Any:
        """The pipeline: pictures in, a result for each out, in order."""
        raise NotImplementedError

    def model_ids(self, pipeline: Any = None) -> dict[str, str]:
        """The checkpoints, by their name in a record's "model"; "id" is that of `--model`.

        Args:
            pipeline: `None` before it is loaded: those that are known by then.
        """
        raise NotImplementedError

    def pinned_ids(self, pipeline: Any = None) -> dict[str, str | None]:
        """`model_ids`, with the revisions that were asked for; `None` where none was."""
        names = ("revision", "recognizer_revision")
        return {**self.model_ids(pipeline), **{name: getattr(self.arguments, name, None) for name in names}}

    def asked_params(self) -> dict[str, Any]:
        """The parameters that a record tells, as the arguments say them; `None` where they do not."""
        raise NotImplementedError

    def effective_params(self, pipeline: Any) -> dict[str, Any]:
        """What the pipeline will go by: its own value stands where none was asked for."""
        raise NotImplementedError

    def call_params(self) -> dict[str, Any]:
        """What the pipeline is called with."""
        return self.asked_params()

    def for_page(self, params: dict[str, Any]) -> dict[str, Any]:
        """These parameters for a page of a PDF file, which may have other defaults than a photo."""
        return params

    def record(
        self, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any], found: Any
    ) -> Record:
        """The record of one image."""
        return image_record(self.kind, source, model, params, found)

    def count(self, found: Any) -> int:
        """How many of `noun` an image had."""
        return len(found)

    def draw(self, pixels: "np.ndarray", found: Any) -> Any:
        """A picture with what was found."""
        raise NotImplementedError

    def tell(self, record: Record) -> None:
        """Say more of a record that was written than the writer does."""


def run_photo_job(job: PhotoJob) -> int:
    """Do a job; returns the exit code.

    Raises:
        CommandError: For a mistake in the arguments.
    """
    arguments = job.arguments
    draw_folder = _draw_folder(arguments)
    if not arguments.paths:
        hint = " (and put --draw without a folder after the paths)" if draw_folder else ""
        raise CommandError(f"name at least one PATH{hint}")
    if arguments.resume and arguments.output is None:
        raise CommandError("--resume needs --output")
    images = expand_inputs(
        arguments.paths, sys.stdin, exclude=[draw_folder] if draw_folder else [], pages=arguments.pages
    )
    writer = make_writer(
        job.formats, job.kind, name=arguments.format, output=arguments.output, count=len(images)
    )
    if isinstance(writer, FileWriter | FolderWriter):
        images = _without_results(images, writer)
    # Before the model is loaded: it may name files.
    call_params = job.call_params()
    earlier: list[Record] = []
    todo = images
    if arguments.resume and isinstance(writer, FileWriter | FolderWriter):
        earlier, todo = writer.resume(images)
    asked = {name: value for name, value in job.asked_params().items() if value is not None}
    _check_same_settings(job, writer, earlier, asked, job.pinned_ids())
    pipeline = job.load() if todo else None
    if pipeline:
        check_call(pipeline, call_params)
        # Once more: what was not asked for may have been asked for then.
        effective = {name: job.effective_params(pipeline)[name] for name in job.asked_params()}
        _check_same_settings(job, writer, earlier, effective, job.pinned_ids(pipeline))
    with writer:
        count, failures = (
            _run_all(job, pipeline, call_params, todo, writer, draw_folder) if pipeline else (0, 0)
        )
    if not arguments.quiet:
        resumed = f", {len(images) - len(todo)} done before" if arguments.resume else ""
        drawings = f", pictures in {draw_folder}/" if draw_folder else ""
        print(
            f"tcm-hf {job.kind.verb}: {count} {job.noun} in {len(todo) - failures} images, "
            f"{failures} failed{resumed}; results in {writer}{drawings}",
            file=sys.stderr,
        )
    return EXIT_SOME_FAILED if failures else 0


def _draw_folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.draw is None:
        return None
    if arguments.draw.is_file():
        raise CommandError(
            f"--draw takes a folder, and {arguments.draw} is a file: put --draw after the paths"
        )
    if arguments.draw != Path():
        return arguments.draw
    output = arguments.output
    if output is None:
        return Path("drawn")
    return (output.parent if is_file_name(output) else output) / "drawn"


def _without_results(images: list[ImageInput], writer: FileWriter | FolderWriter) -> list[ImageInput]:
    """The images but for those that are results: a run before may have put PDF files beside its photos.

    Raises:
        CommandError: If the result of an image would take its place.
    """
    results = set()
    for image in images:
        result = writer.path_of(image).resolve()
        if result == image.path.resolve():
            raise CommandError(f"{image.path} would be read and overwritten: choose another --output")
        results.add(result)
    return [image for image in images if image.path.resolve() not in results]


def _check_same_settings(
    job: PhotoJob,
    writer: Writer,
    records: list[Record],
    params: dict[str, Any],
    models: dict[str, str | None],
) -> None:
    """Refuse to mix results of two settings; what `params` or `models` lacks agrees with any."""
    for record in records:
        wanted = job.for_page(params) if record["source"].get("page") else params
        differing = [name for name in wanted if record["params"].get(name) != wanted[name]]
        if record["source"].get("dpi", job.arguments.dpi) != job.arguments.dpi:
            differing.append("dpi")
        differing += [
            "model" if name == "id" else name
            for name, value in models.items()
            if record["model"].get(name) != value
        ]
        if differing:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in differing)
            raise CommandError(
                f"--resume: {writer} was begun with another {names}; use that, or another --output"
            )


def check_call(pipeline: Any, params: dict[str, Any]) -> None:
    """Refuse what the models cannot go by, before the first image."""
    try:
        pipeline([], **params)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _run_all(
    job: PhotoJob,
    pipeline: Any,
    call_params: dict[str, Any],
    todo: list[ImageInput],
    writer: Writer,
    draw_folder: Path | None,
) -> tuple[int, int]:
    """Write the records and pictures of all images; returns how much was found, and the unreadable images."""
    from tqdm import tqdm

    arguments = job.arguments
    params = job.effective_params(pipeline)
    model = model_facts(job.pinned_ids(pipeline), pipeline)
    if draw_folder is not None:
        make_drawings_folder(draw_folder)
    count = 0
    failures: list[ImageInput] = []
    # The pipeline answers in order: each image that went in waits here for its answer.
    waiting: deque[tuple[ImageInput, np.ndarray]] = deque()
    hide_bar = arguments.quiet or not sys.stderr.isatty()
    with tqdm(total=len(todo), unit="image", file=sys.stderr, disable=hide_bar) as bar:

        def readable(images: Iterable[ImageInput]) -> Iterator["np.ndarray"]:
            for image in images:
                try:
                    pixels = _load_pixels(image, arguments.dpi)
                except Exception as error:  # decoders fail on broken files in many ways
                    failures.append(image)
                    reason = " ".join(str(error).split()) or type(error).__name__
                    place = f"{image.path} page {image.page}" if image.page else image.path
                    bar.write(f"tcm-hf {job.kind.verb}: skipped {place}: {reason}", file=sys.stderr)
                    bar.update()
                    continue
                waiting.append((image, pixels))
                yield pixels

        def results() -> Iterator[Any]:
            for is_page, images in groupby(todo, key=_is_page):
                own_params = job.for_page(call_params) if is_page else call_params
                yield from pipeline(readable(images), batch_size=arguments.batch_size, **own_params)

        for found in results():
            image, pixels = waiting.popleft()
            if draw_folder is not None:
                with whole_file(draw_folder / f"{image.name}.jpg") as temporary:
                    job.draw(pixels, found).save(temporary, quality=90)
            source = image_source(image.path, pixels.shape[:2], page=image.page, dpi=arguments.dpi)
            own_params = job.for_page(params) if _is_page(image) else params
            record = job.record(source, model, own_params, found)
            # After the picture: a record says that the image is done.
            writer.write(image, record)
            job.tell(record)
            count += job.count(found)
            bar.update()
    return count, len(failures)


def _is_page(image: ImageInput) -> bool:
    return image.page is not None


def _load_pixels(image: ImageInput, dpi: int) -> "np.ndarray":
    """The upright picture, RGB uint8 (H, W, 3)."""
    import numpy as np

    from tcm_hf.processing.image_loading import load_rgb_image

    if image.page is not None:
        return render_page(image.path, image.page, dpi)
    if is_pdf(image.path):
        raise ValueError(f"it has {page_count(image.path)} pages, and --pages names none of them")
    return np.array(load_rgb_image(image.path))
