"""`tcm-hf recognize`: read crops of single words."""

import argparse
import csv
import io
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from tcm_hf import default_checkpoint
from tcm_hf.cli.load_models import RECOGNIZER, check_model_name, load_pipeline
from tcm_hf.cli.output_formats import JSON, JSON_LINES, OutputFormat, document_on_stdout
from tcm_hf.cli.photo_arguments import (
    add_backend_argument,
    add_device_arguments,
    add_model_argument,
    add_output_arguments,
    add_photo_parser,
    loading_options,
)
from tcm_hf.cli.photo_jobs import PhotoJob, run_photo_job
from tcm_hf.cli.recognizer_arguments import (
    add_recognizer_arguments,
    recognizer_call_params,
    recognizer_params,
)
from tcm_hf.cli.writers import FileWriter, StdoutLineWriter, Writer
from tcm_hf.results.records import RECOGNITIONS, Record, record_header, rounded

if TYPE_CHECKING:
    from tcm_hf.pipelines.text_recognition import TextRecognitionPipeline


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_photo_parser(
        subparsers,
        "recognize",
        "read crops of single words",
        "Read images that hold one word each. For whole photos, use tcm-hf read.",
    )
    add_output_arguments(parser, FORMATS, "text")
    add_recognizer_arguments(parser.add_argument_group("reading (default: as stored with the model)"))
    model = parser.add_argument_group("model")
    add_model_argument(model, "--model", "the recogniser")
    add_device_arguments(model, "crops", batch_size=16)
    add_backend_argument(model)


def run(arguments: argparse.Namespace) -> int:
    """Read the crops that the arguments name; returns the exit code."""
    return run_photo_job(RecognizeJob(arguments))


def render_words(records: Iterable[Record]) -> str:
    """A line a crop; where there are several, the path, a tab and the word."""
    records = list(records)
    render = render_named_word if len(records) > 1 else render_word
    return "".join(map(render, records))


def render_word(record: Record) -> str:
    """The word on a line."""
    return f"{record['text']}\n"


def render_named_word(record: Record) -> str:
    """The path, a tab and the word on a line."""
    return f"{record['source']['path']}\t{record['text']}\n"


def render_table(records: Iterable[Record], delimiter: str) -> str:
    """A table with the columns path, text and score, and a head."""
    table = io.StringIO()
    rows = csv.writer(table, delimiter=delimiter, lineterminator="\n")
    rows.writerow(("path", "text", "score"))
    rows.writerows((record["source"]["path"], record["text"], record["score"]) for record in records)
    return table.getvalue()


def _words_on_stdout(count: int) -> Writer:
    return StdoutLineWriter(render_named_word if count > 1 else render_word)


def _table_format(suffix: str, delimiter: str) -> OutputFormat:
    render = partial(render_table, delimiter=delimiter)
    return OutputFormat(
        suffix, to_stdout=document_on_stdout(render), to_file=partial(FileWriter, render=render)
    )


FORMATS = {
    "text": OutputFormat(
        ".txt", to_stdout=_words_on_stdout, to_file=partial(FileWriter, render=render_words)
    ),
    "json": JSON,
    "jsonl": JSON_LINES,
    "csv": _table_format(".csv", ","),
    "tsv": _table_format(".tsv", "\t"),
}


class RecognizeJob(PhotoJob):
    """The words of crops."""

    kind = RECOGNITIONS
    noun = "words"
    formats = FORMATS

    def load(self) -> "TextRecognitionPipeline":
        """The recogniser."""
        return _load_recognizer(self.arguments)

    def model_ids(self, pipeline: Any = None) -> dict[str, str]:
        """The recogniser's."""
        return {"id": self.arguments.model or default_checkpoint("text-recognition").name}

    def asked_params(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        return recognizer_params(self.arguments)

    def effective_params(self, pipeline: "TextRecognitionPipeline") -> dict[str, Any]:
        """As asked for; what is not is left to the model."""
        return self.asked_params()

    def call_params(self) -> dict[str, Any]:
        """With the words of the lexicon."""
        return recognizer_call_params(self.arguments)

    def record(
        self, source: dict[str, Any], model: dict[str, Any], params: dict[str, Any], found: Any
    ) -> Record:
        """A header with the word."""
        return {**record_header(self.kind, source, model, params), **rounded(found)}

    def count(self, found: Any) -> int:
        """A crop is a word."""
        return 1


def _load_recognizer(arguments: argparse.Namespace) -> "TextRecognitionPipeline":
    model = arguments.model or str(default_checkpoint("text-recognition"))
    check_model_name("--model", model, RECOGNIZER)
    return load_pipeline("text-recognition", model, **loading_options(arguments))
