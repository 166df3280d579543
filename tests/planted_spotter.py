"""A spotter that finds bright words and reads their colours, as `painted_photo` paints them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from planted_words import LENGTH, LETTERS, UNSURE
from tcm_hf.pipelines.text_spotting import TextSpottingPipeline
from tcm_hf.processing.image_processing_spotting import TCMSpottingImageProcessor

QUERIES = 6
SLOTS = 5
POINTS = 8
SURE = 9.0  # logit
DARK = 0.2


class PaintedSpotterConfig(PreTrainedConfig):
    model_type = "painted_spotter"

    def __init__(self, characters=LETTERS, place="control_points", text="character_logits", **kwargs):
        super().__init__(**kwargs)
        self.characters = characters
        self.place, self.text = place, text


@dataclass
class PaintedSpotterOutput(ModelOutput):
    score_logits: torch.Tensor | None = None
    control_points: torch.Tensor | None = None
    bezier_points: torch.Tensor | None = None
    character_logits: torch.Tensor | None = None
    ctc_logits: torch.Tensor | None = None


class PaintedSpotter(PreTrainedModel):
    """Knows the way up of words by their brighter upper half; `batch_shapes` remembers what it was given.

    The first word of an image is found twice, and what pads a batch is no word. A word that the border of the
    image cuts is read as far as it goes.
    """

    config_class = PaintedSpotterConfig
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.batch_shapes = []
        self.post_init()

    def forward(self, pixel_values, labels=None):
        self.batch_shapes.append(tuple(pixel_values.shape))
        images = [self._spot(image.float().permute(1, 2, 0).numpy()) for image in pixel_values]
        scores, places, logits = (
            self.gain * torch.from_numpy(np.stack(values)).float() for values in zip(*images, strict=True)
        )
        return PaintedSpotterOutput(
            score_logits=scores, **{self.config.place: places, self.config.text: logits}
        )

    def _spot(self, rgb):
        size_wh = np.array(rgb.shape[1::-1], np.float32)
        scores = np.full((QUERIES, 1), -np.inf, np.float32)
        places = np.zeros((QUERIES, POINTS, 2), np.float32)
        logits = np.zeros((QUERIES, SLOTS, len(self.config.characters) + 1), np.float32)
        corners = _words(rgb)
        for query, quad in enumerate([*corners[:1], *corners]):
            word = _straight(rgb, quad)
            turns = max(range(4), key=lambda turn, word=word: _uprightness(np.rot90(word, turn)))
            start = np.roll(quad, -turns, axis=0)
            upright = np.rot90(word, turns)
            scores[query] = SURE - 1 if query else SURE / 2
            steps = np.linspace(0, 1, POINTS // 2)[:, None]
            top, foot = start[0] + steps * (start[1] - start[0]), start[2] + steps * (start[3] - start[2])
            places[query] = np.concatenate([top, foot]) / size_wh
            certainty = SURE if _uprightness(upright) > 0.05 else UNSURE
            letters = _letters(upright)
            # Gaps part equal letters for who reads paths, and close up for who reads slots.
            read = np.full(SLOTS, len(self.config.characters))
            read[: 2 * len(letters) : 2] = letters
            logits[query, np.arange(SLOTS), read] = certainty
        return scores, places, logits


def _words(rgb):
    """Corners of bright rectangles, clockwise from the top left, from the top of the picture down."""
    bright = (rgb.max(axis=2) > DARK).astype(np.uint8)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = sorted((cv2.boundingRect(one) for one in contours), key=lambda box: (box[1], box[0]))
    return [
        np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)
        for x, y, w, h in boxes
        if w > 4 and h > 4
    ]


def _straight(rgb, quad):
    (left, top), (right, bottom) = quad[0].astype(int), quad[2].astype(int)
    return rgb[top:bottom, left:right]


def _uprightness(word):
    """How much brighter the upper half is; words are longer than high."""
    height, width = word.shape[:2]
    if height > width:
        return -1.0
    return float(word[: height // 2].mean() - word[-(height // 2) :].mean())


def _letters(word):
    """One a third of a whole word, fewer of one that is cut."""
    count = int(np.clip(round(word.shape[1] / word.shape[0] * 32 / 40), 1, LENGTH))
    parts = np.array_split(word, count, axis=1)
    return [int(part.mean(axis=(0, 1)).argmax()) for part in parts]


def painted_one_model(place="control_points", text="character_logits", **parameters) -> TextSpottingPipeline:
    """Reads what `planted_words.painted_spotter` reads, with one model."""
    processor = TCMSpottingImageProcessor(
        size={"shortest_edge": 256, "longest_edge": 512}, do_normalize=False, characters=LETTERS
    )
    model = PaintedSpotter(PaintedSpotterConfig(place=place, text=text))
    return TextSpottingPipeline(model=model, image_processor=processor, device="cpu", **parameters)
