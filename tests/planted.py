"""A model that finds what is bright: pictures with white bars on black are photos with known texts."""

from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor


class BrightnessConfig(PreTrainedConfig):
    model_type = "brightness"


@dataclass
class BrightnessOutput(ModelOutput):
    probability_map: torch.Tensor | None = None


class BrightnessModel(PreTrainedModel):
    """Its probability map is the mean of the colour channels; `batch_shapes` remembers what it was given."""

    config_class = BrightnessConfig
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.batch_shapes = []
        self.post_init()

    def forward(self, pixel_values, labels=None):
        self.batch_shapes.append(tuple(pixel_values.shape))
        return BrightnessOutput(probability_map=self.gain * pixel_values.mean(dim=1))


def brightness_pipeline(**parameters) -> TextDetectionPipeline:
    """Keeps 0..1 as it is, so that a pixel's grey value is its probability."""
    processor = TCMImageProcessor(size={"shortest_edge": 256, "longest_edge": 512}, do_normalize=False)
    model = BrightnessModel(BrightnessConfig())
    return TextDetectionPipeline(model=model, image_processor=processor, device="cpu", **parameters)


def picture(size_hw=(240, 480), bars=((60, 80, 200, 112),), grey=255) -> np.ndarray:
    """A black RGB picture with bars (x0, y0, x1, y1) of one grey value, or of one each."""
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    greys = [grey] * len(bars) if isinstance(grey, int) else grey
    for (x0, y0, x1, y1), value in zip(bars, greys, strict=True):
        image[y0:y1, x0:x1] = value
    return image
