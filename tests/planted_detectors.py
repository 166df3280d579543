"""PAN and FCENet detectors that find what is bright: they say what the targets of bright bars would teach."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from tcm_hf.data.targets_fcenet import STRIDES, fcenet_targets
from tcm_hf.data.targets_pan import pan_targets
from tcm_hf.modeling.configuration_heads import HEAD_CONFIGS
from tcm_hf.pipelines.text_detection import TextDetectionPipeline
from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

DARK = 0.2  # a pixel below this is none of a bar
SURE = 8.0  # logit


class PlantedConfig(PreTrainedConfig):
    model_type = "planted"

    def __init__(self, head_type="pan", **kwargs):
        super().__init__(**kwargs)
        self.head_config = HEAD_CONFIGS[head_type]()


@dataclass
class PlantedOutput(ModelOutput):
    text_logits: torch.Tensor | None = None
    kernel_logits: torch.Tensor | None = None
    pixel_embeddings: torch.Tensor | None = None
    region_logits: tuple[torch.Tensor, ...] | None = None
    center_logits: tuple[torch.Tensor, ...] | None = None
    fourier_coefficients: tuple[torch.Tensor, ...] | None = None


class PlantedModel(PreTrainedModel):
    """`batch_shapes` remembers what it was given; the score of a bar is its grey value."""

    config_class = PlantedConfig
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.batch_shapes = []
        self.post_init()

    def forward(self, pixel_values, labels=None):
        self.batch_shapes.append(tuple(pixel_values.shape))
        maps_of = {"pan": _pan_maps, "fcenet": _fcenet_maps}[self.config.head_config.head_type]
        images = [maps_of(image.float().mean(dim=0).numpy()) for image in pixel_values]
        return PlantedOutput(
            **{name: _stacked([maps[name] for maps in images], self.gain) for name in images[0]}
        )


def planted_pipeline(head_type, pipeline_class=TextDetectionPipeline, **parameters):
    """Keeps 0..1 as it is, so that a pixel's grey value is its probability."""
    processor = TCMImageProcessor(
        size={"shortest_edge": 256, "longest_edge": 512},
        do_normalize=False,
        threshold=0.4,
        polygon_mode="quad",
    )
    model = PlantedModel(PlantedConfig(head_type))
    return pipeline_class(model=model, image_processor=processor, device="cpu", **parameters)


def _stacked(maps, gain):
    if isinstance(maps[0], tuple):
        return tuple(_stacked(list(level), gain) for level in zip(*maps, strict=True))
    return torch.from_numpy(np.stack(maps)).to(gain.dtype) * gain


def _polygons(grey):
    contours, _ = cv2.findContours((grey > DARK).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # Of pixels to the frame of edges, half a pixel outwards.
    rectangles = [cv2.boundingRect(contour) for contour in contours]
    return [
        np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)
        for x, y, w, h in rectangles
        if w > 1 and h > 1
    ]


def _pan_maps(grey):
    polygons = _polygons(grey)
    targets = pan_targets(polygons, [False] * len(polygons), grey.shape)
    # What the loss compares the maps with: the first pixel of each cell of stride 4.
    instances, kernels = (targets[name][::4, ::4] for name in ("instance_map", "kernel_map"))
    brightest = cv2.dilate(grey.astype(np.float32), np.ones((5, 5)))[::4, ::4]
    text = np.clip(np.where(instances > 0, brightest, 0), 1e-3, 1 - 1e-3)
    return {
        "text_logits": np.log(text / (1 - text)).astype(np.float32),
        "kernel_logits": np.where(kernels > 0, SURE, -SURE).astype(np.float32),
        "pixel_embeddings": np.repeat(instances[None], 4, axis=0),
    }


def _fcenet_maps(grey):
    polygons = _polygons(grey)
    targets = fcenet_targets(polygons, [False] * len(polygons), grey.shape)
    region, center, coefficients = [], [], []
    for stride in STRIDES:
        maps = targets[f"contour_maps_{stride}"]
        height, width = maps.shape[1:]
        brightest = grey.reshape(height, stride, width, stride).max(axis=(1, 3))
        # The score is the probability of text to the power of 1.2, times that of the centre.
        text = np.clip(np.where(maps[0] > 0, brightest, 0), 1e-3, 1 - 1e-3) ** (1 / 1.2)
        region.append(np.stack([np.log(1 - text), np.log(text)]).astype(np.float32))
        center.append(SURE * np.stack([1 - maps[1], maps[1]]).astype(np.float32))
        coefficients.append(maps[3:])
    return {
        "region_logits": tuple(region),
        "center_logits": tuple(center),
        "fourier_coefficients": tuple(coefficients),
    }
