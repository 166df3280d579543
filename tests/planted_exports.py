"""Exported folders whose graphs find what is bright and read colours, as `painted_spotter` does in torch."""

from pathlib import Path

import onnx.parser

from planted_words import LETTERS
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
from tiny import tiny_config
from tiny_recognizer import tiny_recognizer

BRIGHTNESS = """
<ir_version: 10, opset_import: ["" : 18]>
brightness (float[batch, 3, height, width] pixel_values) => (float[batch, height, width] probability_map)
{
    channels = Constant <value = int64[1] {1}> ()
    probability_map = ReduceMean <keepdims = 0> (pixel_values, channels)
}
"""
# Pictures of 32 x 96: three letters side by side, sure where the upper half is the brighter one.
COLOURS = """
<ir_version: 10, opset_import: ["" : 18]>
colours (float[batch, 3, 32, 96] pixel_values) => (float[batch, 4, 4] logits)
{
    letter_shape = Constant <value = int64[5] {-1, 3, 32, 3, 32}> ()
    letter_pixels = Constant <value = int64[2] {2, 4}> ()
    letters = Reshape (pixel_values, letter_shape)
    colours_first = ReduceMean <keepdims = 0> (letters, letter_pixels)
    colours_last = Transpose <perm = [0, 2, 1]> (colours_first)
    brightest = ArgMax <axis = 2, keepdims = 0> (colours_last)
    one = Constant <value = int64[1] {1}> ()
    read = Add (brightest, one)
    behind = Constant <value = int64[4] {0, 0, 0, 1}> ()
    ids = Pad (read, behind)
    depth = Constant <value = int64[1] {4}> ()
    off_on = Constant <value = float[2] {0.0, 1.0}> ()
    chosen = OneHot (ids, depth, off_on)
    half_shape = Constant <value = int64[4] {-1, 3, 2, 1536}> ()
    half_pixels = Constant <value = int64[2] {1, 3}> ()
    halves = Reshape (pixel_values, half_shape)
    brightness = ReduceMean <keepdims = 0> (halves, half_pixels)
    two = Constant <value = int64[2] {1, 1}> ()
    upper, lower = Split <axis = 1> (brightness, two)
    margin = Constant <value = float[1] {0.05}> ()
    lower_and_more = Add (lower, margin)
    is_upright = Greater (upper, lower_and_more)
    sure = Constant <value = float[1] {12.0}> ()
    unsure = Constant <value = float[1] {1.0}> ()
    certainty = Where (is_upright, sure, unsure)
    axis = Constant <value = int64[1] {2}> ()
    factors = Unsqueeze (certainty, axis)
    logits = Mul (chosen, factors)
}
"""


def write_graph(text: str, path: Path) -> Path:
    """An ONNX file of a graph in onnx's own notation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    return path


def planted_export(folder: Path, **image_settings) -> Path:
    """Detector and recogniser, exported; without weights for torch."""
    tiny_config().save_pretrained(folder)
    settings = {"size": {"shortest_edge": 256, "longest_edge": 512}, "unclip_ratio": 0.0}
    TCMImageProcessor(do_normalize=False, **(settings | image_settings)).save_pretrained(folder)
    write_graph(BRIGHTNESS, folder / "onnx" / "model.onnx")
    planted_recognizer(folder / "recognizer")
    return folder


def planted_recognizer(folder: Path) -> Path:
    """The recogniser alone."""
    config = tiny_recognizer(charset=LETTERS, max_label_length=3, caption_charset=LETTERS).config
    config.save_pretrained(folder)
    CLIP4STRProcessor.from_preset(
        "clip4str-tiny",
        charset=LETTERS,
        max_label_length=3,
        size={"height": 32, "width": 96},
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
    ).save_pretrained(folder)
    write_graph(COLOURS, folder / "onnx" / "model.onnx")
    return folder
