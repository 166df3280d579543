"""A recogniser that reads colours: painted words are photos with known texts, and a wrong way up is told."""

from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from planted import BrightnessConfig, BrightnessModel
from tcm_hf.pipelines.text_recognition import TextRecognitionPipeline
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor

LETTERS = "abc"  # red, green, blue
LENGTH = 3  # of every word
SURE, UNSURE = 12.0, 1.0  # logits


class ColourConfig(PreTrainedConfig):
    model_type = "colour"


@dataclass
class ColourOutput(ModelOutput):
    logits: torch.Tensor | None = None


class ColourModel(PreTrainedModel):
    """Reads three letters from left to right by their colours.

    It is sure where the upper half is the brighter one. `calls` remembers what it was given.
    """

    config_class = ColourConfig
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.calls = []
        self.post_init()

    def forward(self, pixel_values, labels=None, refine_iterations=None, use_cross_branch=None):
        self.calls.append((len(pixel_values), refine_iterations, use_cross_branch))
        letters = torch.nn.functional.adaptive_avg_pool2d(pixel_values, (1, LENGTH))[
            :, :, 0
        ].mT  # (B, 3, RGB)
        halves = torch.nn.functional.adaptive_avg_pool2d(pixel_values, (2, 1)).mean(dim=1)[..., 0]  # (B, 2)
        is_upright = halves[:, 0] > halves[:, 1] + 0.05
        certainty = torch.where(is_upright, SURE, UNSURE)[:, None, None]
        ids = torch.nn.functional.pad(letters.argmax(-1) + 1, (0, 1))  # the word's end is 0
        return ColourOutput(logits=self.gain * certainty * torch.nn.functional.one_hot(ids, 1 + len(LETTERS)))


def painted_word(text: str, height: int = 32, letter_width: int = 40) -> np.ndarray:
    """An upright word as `ColourModel` reads it, `(height, 3 * letter_width, 3)` uint8."""
    word = np.empty((height, LENGTH * letter_width, 3), dtype=np.uint8)
    word[: height // 2], word[height // 2 :] = 190, 140
    for place, letter in enumerate(text):
        word[:, place * letter_width : (place + 1) * letter_width, LETTERS.index(letter)] += 60
    return word


def painted_photo(*placed, size_hw=(240, 480)) -> np.ndarray:
    """A black photo with words: (text, x, y of the top left, quarter turns clockwise) each."""
    photo = np.zeros((*size_hw, 3), dtype=np.uint8)
    for text, x, y, turns in placed:
        word = np.rot90(painted_word(text), -turns)
        photo[y : y + word.shape[0], x : x + word.shape[1]] = word
    return photo


def colour_pipeline(**parameters) -> TextRecognitionPipeline:
    """Reads painted words."""
    processor = CLIP4STRProcessor.from_preset(
        "clip4str-tiny", charset=LETTERS, image_mean=[0.0] * 3, image_std=[1.0] * 3
    )
    model = ColourModel(ColourConfig())
    return TextRecognitionPipeline(model=model, processor=processor, device="cpu", **parameters)


def painted_spotter(recognizer=None, **parameters) -> TextSpottingPipeline:
    """Finds what is bright and reads its colours."""
    processor = TCMImageProcessor(
        size={"shortest_edge": 256, "longest_edge": 512}, do_normalize=False, unclip_ratio=0.0
    )
    return TextSpottingPipeline(
        model=BrightnessModel(BrightnessConfig()),
        image_processor=processor,
        recognizer=recognizer or colour_pipeline(),
        device="cpu",
        **parameters,
    )
