"""A rotated detector that finds bright turned bars: pictures with them are scenes with known objects."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from transformers import PreTrainedConfig
from transformers.utils import ModelOutput

from planted_detectors import PlantedModel
from tcm_hf.pipelines.rotated_object_detection import RotatedObjectDetectionPipeline
from tcm_hf.processing.image_processing_rotated import TCMRotatedImageProcessor
from tcm_hf.processing.rotated_boxes import boxes_to_polygons, polygons_to_boxes

CLASSES = ("ship", "storage tank")  # by brightness: up to 0.75, above
_DARK = 0.3
_STRIDE = 8


class PlantedObjectsConfig(PreTrainedConfig):
    model_type = "planted_objects"

    def __init__(self, **kwargs):
        super().__init__(**{"id2label": dict(enumerate(CLASSES))} | kwargs)


@dataclass
class PlantedObjectsOutput(ModelOutput):
    class_logits: tuple[torch.Tensor, ...] | None = None
    boxes: tuple[torch.Tensor, ...] | None = None


class PlantedObjectsModel(PlantedModel):
    """`batch_shapes` remembers what it was given; the score of a whole object is its grey value."""

    config_class = PlantedObjectsConfig

    def forward(self, pixel_values):
        self.batch_shapes.append(tuple(pixel_values.shape))
        maps = [_maps(image.float().mean(dim=0).numpy()) for image in pixel_values]
        logits, boxes = (torch.from_numpy(np.stack(values)) for values in zip(*maps, strict=True))
        return PlantedObjectsOutput(class_logits=(logits * self.gain,), boxes=(boxes,))


def planted_objects_pipeline(size=None, **parameters):
    """Keeps 0..1 as it is, and pictures up to 512 pixels too; tiles have 128 and overlap by 48."""
    processor = TCMRotatedImageProcessor(
        size=size or {"longest_edge": 512}, do_normalize=False, threshold=0.4, tile_px=128, tile_overlap_px=48
    )
    model = PlantedObjectsModel(PlantedObjectsConfig())
    return RotatedObjectDetectionPipeline(model=model, image_processor=processor, device="cpu", **parameters)


def scene(size_hw=(256, 512), objects=(((100, 80, 60, 24, 0.5), 150),)):
    """A black RGB picture with bars ((cx, cy, w, h, angle), grey)."""
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    for box, grey in objects:
        corners = boxes_to_polygons(np.array([box]))[0]
        cv2.fillPoly(image, [np.round(corners - 0.5).astype(np.int32)], (grey, grey, grey))
    return image


def _maps(grey):
    """Class logits (h, w, 1, K) and boxes (h, w, 1, 5) of stride 8, an object in the cell of its centre."""
    height, width = (-(-side // _STRIDE) for side in grey.shape)
    logits = np.full((height, width, 1, len(CLASSES)), -9.0, np.float32)
    boxes = np.zeros((height, width, 1, 5), np.float32)
    contours, _ = cv2.findContours((grey > _DARK).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        if len(contour) < 8:
            continue
        box = polygons_to_boxes(cv2.convexHull(contour).reshape(1, -1, 2) + 0.5)[0]
        row, column = (int(min(max(box[i] // _STRIDE, 0), n - 1)) for i, n in ((1, height), (0, width)))
        inside = cv2.drawContours(np.zeros(grey.shape, np.uint8), [contour], 0, 1, cv2.FILLED)
        brightness = float(np.clip(np.median(grey[inside > 0]), 0.01, 0.99))
        corner, size_wh = contour.reshape(-1, 2).min(0), np.array(grey.shape[::-1])
        is_cut = (corner == 0).any() or (contour.reshape(-1, 2).max(0) == size_wh - 1).any()
        score = brightness * (0.8 if is_cut else 1)  # a seen half says less
        logits[row, column, 0, int(brightness > 0.75)] = np.log(score / (1 - score))
        boxes[row, column, 0] = box
    return logits, boxes
