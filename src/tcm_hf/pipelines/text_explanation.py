"""What a detector saw on its way to the polygons: the panels of the paper's figure 7, as arrays."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from typing import Any, TypedDict

import numpy as np
import torch

from .picture_pipeline import image_of, single
from .text_detection import TextDetection, TextDetectionPipeline


class TextExplanation(TypedDict):
    """One photo as CLIP saw it; every map covers the whole photo with one value a position, float32."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, the upright photo."""
    image_embedding: np.ndarray
    """(h, w), length of the dense image embedding `I` before the visual prompt."""
    visual_prompt: np.ndarray | None
    """(h, w), length of what the visual prompt adds to it; None for a model without a visual prompter."""
    matching_map: np.ndarray
    """(h, w), cosine with the text embedding, in [-1, 1] (times the scale where the model learned one); of
    several class prompts the best."""
    detections: list[TextDetection]
    """What `TextDetectionPipeline` finds."""


class TextExplanationPipeline(TextDetectionPipeline):
    """A detector that also tells what its CLIP side saw: image embedding, visual prompt, matching map.

    An embedding has hundreds of channels; what is told of it is its length (L2 norm) at every position, which
    needs no sign and compares between photos, as a principal component does not. The embeddings themselves
    come from the model, with `output_embeddings=True`. Source: TCM, arXiv 2302.14338, figure 7.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> explain = pipeline("text-detection", pipeline_class=tcm_hf.TextExplanationPipeline)
    >>> explain("street.jpg")["matching_map"].shape
    (22, 40) ```

    The photo is looked at as a whole, never in tiles; all other parameters are those of
    `TextDetectionPipeline`.

    Raises:
        ValueError: If the model has no text side.
    """

    preprocess_parameters = ("timeout",)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        method = getattr(self.model.config, "method", None)
        if method not in ("tcm", "fasttcm"):
            raise ValueError(
                f"There is nothing to explain: a model with method={method!r} has no text side. Take a TCM "
                "or FastTCM checkpoint."
            )

    def preprocess(self, image: Any, timeout: float | None = None) -> dict:
        """As the detector's; "image_rgb" `(H, W, 3)` uint8 comes along."""
        image_rgb = self.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        return {"images": [self._prepared(image_rgb, tile=None) | {"image_rgb": image_rgb}]}

    def _warn_if_shrunk(self, size_hw: tuple[int, int]) -> None:
        """No warning: the tiles that it would recommend are not on offer."""

    def _forward(self, model_inputs: dict) -> dict:
        photos = [single(item)["image_rgb"] for item in model_inputs["images"]]
        images = super()._forward(model_inputs)["images"]
        return {"images": [image | {"image_rgb": photo} for image, photo in zip(images, photos, strict=True)]}

    def _maps(self, pixel_values: torch.Tensor) -> list[dict[str, Any]]:
        outputs = self.network(pixel_values=pixel_values, output_embeddings=True)
        prompt = outputs.get("visual_prompt")
        prompts = [None] * len(pixel_values) if prompt is None else _array(prompt.norm(dim=1))
        embeddings = _array(outputs["image_embedding"].norm(dim=1))
        matching_maps = _array(outputs["matching_map"].amax(dim=1))
        return [
            maps | {"image_embedding": embedding, "visual_prompt": prompt, "matching_map": matching_map}
            for maps, embedding, prompt, matching_map in zip(
                self.image_processor.split_images(outputs), embeddings, prompts, matching_maps, strict=True
            )
        ]

    def postprocess(self, model_outputs: dict, **parameters: Any) -> TextExplanation:
        """Decode the detector's maps; the others are as they should be."""
        image = single(model_outputs["images"])
        (maps,) = image["tile_maps"]
        return {
            "image": image["image_rgb"],
            "image_embedding": maps["image_embedding"],
            "visual_prompt": maps["visual_prompt"],
            "matching_map": maps["matching_map"],
            "detections": super().postprocess({"images": image}, **parameters),
        }


def _array(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
