"""A TCM detector run as the published program runs it, written plainly: what our speed is measured against.

The layers and weights are those of the model. How they are run is the published program's: float32, channels
first, batch norms apart from convolutions, the text tower at every call, both branches of the head and the
differentiable binarisation for every photo, polygons decoded one after the other in Python. Attention takes
PyTorch's fused kernel, which today's PyTorch gives to the published program's pooling and text tower as well.
"""

from typing import Any

import numpy as np
import torch
from baselines import plain_decode_dbnet

from tcm_hf import TCMForTextDetection
from tcm_hf.modeling.matching import instance_language_matching


class UpstreamWay:
    """A TCM-DBNet in the published program's way.

    Args:
        model: in float32, with its text tower; TCM, whose prompts depend on the image.

    Raises:
        ValueError: for a model of another kind.
    """

    def __init__(self, model: TCMForTextDetection):
        config = model.config
        if (config.method, config.head_config.head_type, config.matching_stage) != ("tcm", "dbnet", 3):
            raise ValueError(
                f"The plain way is that of TCM-DBNet: got {config.method}, {config.head_config}."
            )
        self.model = model

    def maps(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 3, H, W) float32, channels first -> all maps of the head, (B, H, W) each."""
        tower, head = self.model.model, self.model.head
        features, global_embedding, dense_embedding = tower.image_tower(pixel_values)
        text = tower.encode_text(global_embedding)
        matching = self._matching_map(dense_embedding, text)
        features = (*features[:3], torch.cat([features[3], matching], dim=1))
        neck = head.neck(features)
        probability = head.probability(neck).sigmoid().squeeze(1)
        threshold = head.threshold(neck).sigmoid().squeeze(1)
        binary = 1 / (1 + torch.exp(-head.head_config.step_slope * (probability - threshold)))
        return {"probability_map": probability, "threshold_map": threshold, "binary_map": binary}

    def _matching_map(self, dense_embedding: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        prompted = dense_embedding + self.model.model.visual_prompter(dense_embedding, text)
        return instance_language_matching(prompted, text)

    @staticmethod
    def polygons(probability_map: np.ndarray, settings: dict[str, Any]) -> list[tuple[np.ndarray, float]]:
        """(H, W) -> (outline, score) pairs; `settings` as of `plain_decode_dbnet`."""
        return plain_decode_dbnet(probability_map, **settings)
