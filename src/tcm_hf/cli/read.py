"""`tcm-hf read`: find the words of photos and PDF pages and read them."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf import default_checkpoint
from tcm_hf.cli.arguments import positive_int, probability, ratio
from tcm_hf.cli.bulk_job import add_bulk_arguments, is_bulk, run_bulk_job
from tcm_hf.cli.detect import detection_call_params, page_params
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.folder_writers import DocumentFolderWriter, JournaledFolderWriter
from tcm_hf.cli.formats_pdf import render_searchable_pdf
from tcm_hf.cli.load_models import DETECTOR, RECOGNIZER, SPOTTER, check_model_name, load_pipeline, pinned
from tcm_hf.cli.output_formats import (
    COCO,
    ICDAR,
    JSON,
    JSON_LINES,
    LABELME,
    OutputFormat,
    document_on_stdout,
)
from tcm_hf.cli.pdf_pages import import_pdfium
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
from tcm_hf.cli.recognizer_arguments import (
    add_recognizer_arguments,
    recognizer_call_params,
    recognizer_params,
)
from tcm_hf.cli.writers import FileWriter, StdoutLineWriter, Writer
from tcm_hf.results.formats_alto import render_alto
from tcm_hf.results.formats_hocr import render_hocr, render_hocr_page
from tcm_hf.results.formats_text import render_all_text, render_headed_text, render_text
from tcm_hf.results.pipeline_facts import effective_detection_params
from tcm_hf.results.readings import reading_record, words_in
from tcm_hf.results.records import READINGS, Record, RecordKind

if TYPE_CHECKING:
    import numpy as np

    from tcm_hf.pipelines.text_spotting import TextSpottingPipeline

_READING_PARAMETERS = ("recognition_threshold", "rotations", "crop_margin")


def _text_on_stdout(count: int) -> Writer:
    return StdoutLineWriter(render_headed_text if count > 1 else render_text)


def _pdf_file_writer(path: Path, kind: RecordKind) -> Writer:
    _require_pdfium()
    return FileWriter(path, kind, render=render_searchable_pdf)


def _pdf_folder_writer(folder: Path, kind: RecordKind) -> Writer:
    _require_pdfium()
    return DocumentFolderWriter(folder, kind, suffix=".pdf", render=render_searchable_pdf)


def _require_pdfium() -> None:
    """Told before anything is read."""
    try:
        import_pdfium()
    except ValueError as error:
        raise CommandError(f"--format searchable-pdf: {error}") from error


FORMATS = {
    "text": OutputFormat(
        ".txt",
        to_stdout=_text_on_stdout,
        to_file=partial(FileWriter, render=render_all_text),
        to_folder=partial(JournaledFolderWriter, suffix=".txt", render=render_text),
    ),
    "json": JSON,
    "jsonl": JSON_LINES,
    "icdar": ICDAR,
    "hocr": OutputFormat(
        ".hocr",
        to_stdout=document_on_stdout(render_hocr),
        to_file=partial(FileWriter, render=render_hocr),
        to_folder=partial(JournaledFolderWriter, suffix=".hocr", render=render_hocr_page),
    ),
    "alto": OutputFormat(".xml", to_folder=partial(JournaledFolderWriter, suffix=".xml", render=render_alto)),
    "searchable-pdf": OutputFormat(".pdf", to_file=_pdf_file_writer, to_folder=_pdf_folder_writer),
    "coco": COCO,
    "labelme": LABELME,
}


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_photo_parser(
        subparsers, "read", "read the words of images", "Find and read the words of images and PDF pages."
    )
    add_output_arguments(parser, FORMATS, "text")
    add_picture_arguments(parser, "the words")
    parser.add_argument("--print", action="store_true", help="with --output: the text to stdout, too")
    parser.add_argument("--lines", action="store_true", help="JSON results also have the lines")
    add_bulk_arguments(parser)
    add_reader_arguments(parser, batch_size=1)


def add_reader_arguments(parser: argparse.ArgumentParser, batch_size: int) -> None:
    """Add how words are found and read, and by which models; `ReadJob` goes by them.

    Args:
        parser: A verb's.
        batch_size: Images at once, where none is asked for.
    """
    add_detection_arguments(parser.add_argument_group("finding words (default: as stored with the model)"))
    reading = parser.add_argument_group("reading (default: as stored with the recogniser)")
    reading.add_argument(
        "--recognition-threshold",
        type=probability,
        metavar="P",
        help="smallest score of a reading, 0 to 1 (default: 0.3, or as stored with a spotter)",
    )
    reading.add_argument(
        "--rotations",
        action=argparse.BooleanOptionalAction,
        help="whether tall and doubtful words are read turned, too",
    )
    reading.add_argument(
        "--crop-margin", type=ratio, metavar="R", help="what is read around a word, in heights of the word"
    )
    add_recognizer_arguments(reading)
    models = parser.add_argument_group("models")
    add_model_argument(models, "--model", "the detector, or a spotter, which also reads")
    add_model_argument(models, "--recognizer", "the recogniser")
    add_device_arguments(models, "images", batch_size=batch_size)
    add_backend_argument(models)
    models.add_argument(
        "--recognition-batch-size",
        type=positive_int,
        metavar="N",
        help="words at once; never changes results",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the images that the arguments name; returns the exit code."""
    job = ReadJob(arguments)
    return run_bulk_job(job) if is_bulk(arguments) else run_photo_job(job)


class ReadJob(PhotoJob):
    """The words of photos, with their places."""

    kind = READINGS
    noun = "words"
    formats = FORMATS

    def load(self) -> "TextSpottingPipeline":
        """The detector with the recogniser, or a spotter."""
        return _load_spotter(self.arguments)

    def model_ids(self, pipeline: "TextSpottingPipeline | None" = None) -> dict[str, str]:
        """The detector's; the recogniser's where it was asked for, and when it is loaded.

        A spotter is its own recogniser.
        """
        ids = {"id": self.arguments.model or default_checkpoint().name}
        if self.arguments.recognizer:
            ids["recognizer"] = self.arguments.recognizer
        elif pipeline:
            shipped = default_checkpoint("text-recognition")
            name = pipeline.recognizer.model.name_or_path if pipeline.recognizer else ids["id"]
            ids["recognizer"] = shipped.name if name == str(shipped) else name
        return ids

    def asked_params(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        return {**self._own_params(), **recognizer_params(self.arguments)}

    def effective_params(self, pipeline: "TextSpottingPipeline") -> dict[str, Any]:
        """As asked for, or else as stored with the model; what is left to the recogniser is `None`."""
        own = effective_detection_params(self._own_params(), pipeline)
        return {**own, **recognizer_params(self.arguments)}

    def call_params(self) -> dict[str, Any]:
        """With the words of the lexicon."""
        return {
            **detection_call_params(self._own_params()),
            "recognition_batch_size": self.arguments.recognition_batch_size,
            **recognizer_call_params(self.arguments),
            "output": "paragraphs",
        }

    def for_page(self, params: dict[str, Any]) -> dict[str, Any]:
        """Pages are cut in tiles unless it was asked for something else."""
        return page_params(params, self.arguments)

    def record(
        self, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any], found: Any
    ) -> Record:
        """The words, and on demand the lines."""
        return reading_record(source, model, params, found, with_lines=self.arguments.lines)

    def count(self, found: Any) -> int:
        """The words."""
        return len(words_in(found))

    def draw(self, pixels: "np.ndarray", found: Any) -> Any:
        """The polygons with their words."""
        from tcm_hf.cli.drawing import draw_words

        return draw_words(pixels, words_in(found))

    def tell(self, record: Record) -> None:
        """The text on stdout, for `--print`."""
        if self.arguments.print and self.arguments.output:
            sys.stdout.write(render_headed_text(record))
            sys.stdout.flush()

    def _own_params(self) -> dict[str, Any]:
        return {name: getattr(self.arguments, name) for name in (*DETECTION_PARAMETERS, *_READING_PARAMETERS)}


def _load_spotter(arguments: argparse.Namespace) -> "TextSpottingPipeline":
    model = arguments.model or str(default_checkpoint())
    check_model_name("--model", model, DETECTOR, SPOTTER)
    recognizer = arguments.recognizer
    if recognizer:
        check_model_name("--recognizer", recognizer, RECOGNIZER)
        recognizer = pinned("--recognizer", recognizer, arguments.recognizer_revision)
    return load_pipeline("text-spotting", model, recognizer=recognizer, **loading_options(arguments))
