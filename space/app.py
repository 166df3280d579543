"""A Gradio Space: a photo in, its words out, with the models that ship with tcm_hf."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image
from transformers import pipeline

import tcm_hf
from tcm_hf.cli.drawing import draw_words
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.results.formats_hocr import render_hocr_page
from tcm_hf.results.formats_text import render_text
from tcm_hf.results.pipeline_facts import model_facts
from tcm_hf.results.readings import reading_record
from tcm_hf.results.records import image_source, render_json

if TYPE_CHECKING:
    from gradio import Blocks

_WORDS = """\
# Read the text in a photo

Words are found, outlined and read by two small models on a CPU. The text, a record in JSON and an hOCR
document can be copied and downloaded."""


class Reading(NamedTuple):
    """What is shown of a photo."""

    drawn: Image.Image
    """The upright photo with an outline and the reading at every word."""
    text: str
    json: str
    hocr: str


class PhotoReader:
    """Reads photos.

    Args:
        model: A folder or Hub id for `pipeline("text-spotting")`; `None` takes the models of the package.
    """

    def __init__(self, model: str | None = None):
        self._pipeline = pipeline("text-spotting", model=model or str(tcm_hf.default_checkpoint()))
        detector, recognizer = self._pipeline.model, self._pipeline.recognizer
        names = (model.name_or_path for model in (detector, recognizer.model if recognizer else detector))
        names = dict(zip(("id", "recognizer"), (Path(name).name for name in names), strict=True))
        self._model = model_facts(names, self._pipeline)

    def __call__(self, path: str) -> Reading:
        """Find and read the words of a photo.

        Args:
            path: Its file.

        Raises:
            ValueError: If it cannot be read.
        """
        photo = load_rgb_image(path)
        source = image_source(Path(Path(path).name), (photo.height, photo.width))
        record = reading_record(source, self._model, {}, self._pipeline(photo, output="paragraphs"))
        drawn = draw_words(photo, record["instances"])
        return Reading(drawn, render_text(record), render_json(record), render_hocr_page(record))


def build_demo(read: Callable[[str], Reading]) -> "Blocks":
    """The page of the Space.

    Args:
        read: Gives what is shown of the photo in a file; its `ValueError` is told as it is.
    """
    import gradio as gr

    def show(path: str | None) -> tuple:
        if path is None:
            return None, "", "", ""
        try:
            return tuple(read(path))
        except ValueError as error:
            raise gr.Error(str(error)) from error

    # What was uploaded is gone after an hour.
    with gr.Blocks(title="Read the text in a photo", delete_cache=(3600, 3600)) as demo:
        gr.Markdown(_WORDS)
        with gr.Row():
            photo = gr.Image(type="filepath", sources=["upload", "webcam", "clipboard"], label="Photo")
            drawn = gr.Image(label="Words", interactive=False)
        with gr.Tab("Text"):
            text = gr.Textbox(label="Text", lines=8, buttons=["copy"])
        with gr.Tab("JSON"):
            record = gr.Code(label="JSON", language="json", interactive=False)
        with gr.Tab("hOCR"):
            hocr = gr.Code(label="hOCR", language="html", interactive=False)
        photo.change(show, photo, [drawn, text, record, hocr], api_name="read")
    return demo


if __name__ == "__main__":
    build_demo(PhotoReader(os.environ.get("MODEL"))).launch()
