"""Maps of a detector -> polygons on the original image: the part of the image processor behind the model."""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from .detector_decoding import Maps, decoding_of
from .image_sizes import each_target_size
from .outline_decoding import OutlineDecoding
from .tiling import Tile


class TCMPostProcessing(OutlineDecoding):
    """Decoding: its settings are attributes, saved with the processor, and defaults of its methods."""

    def post_process_text_detection(
        self,
        outputs: Any,
        threshold: float | None = None,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
        polygon_mode: Literal["quad", "polygon"] | None = None,
        binarize_threshold: float | None = None,
        unclip_ratio: float | None = None,
        max_detections: int | None = None,
    ) -> list[dict[str, Any]]:
        """Text instances of each image, from the maps of the model, whatever its detector.

        Arguments that are None take the value of the attribute of the same name.

        Args:
            outputs: what the model returned, or a dict with the fields of one detector, of any float type on
                any device: `"probability_map"` `(B, H, W)`, or a list of `(H, W)` (DBNet); `"text_logits"`,
                `"kernel_logits"`, `"pixel_embeddings"` (PAN); `"region_logits"`, `"center_logits"`,
                `"fourier_coefficients"` (FCENet), see `TCMTextDetectionOutput`.
            threshold: least score, 0..1.
            target_sizes: (height, width) in pixels of each upright original image, as a list or `(B, 2)`;
                None leaves coordinates in pixels of the map.
            polygon_mode: "quad" or "polygon".
            binarize_threshold: a pixel is text if its probability is above this.
            unclip_ratio: how far kernels grow.
            max_detections: of more instances the best are kept.

        Returns:
            Per image a dict, best score first: `"scores"` `(N,)`; `"polygons"`, a list of N tensors `(P, 2)`;
            `"boxes"` `(N, 4)` as xmin, ymin, xmax, ymax. All float32 on the CPU. Coordinates are (x, y) in
            pixels at pixel edges, x right, y down, inside the image; polygons run clockwise from the
            top-left-most corner.

        Raises:
            ValueError: if the outputs are of no detector, there is not one target size per image,
                the detector does not know a setting that was given, or a setting has a value that it cannot
                have.
        """
        decoding, images = decoding_of(outputs), self.split_images(outputs)
        sizes = each_target_size(target_sizes, len(images))
        settings = {
            "threshold": threshold,
            "polygon_mode": polygon_mode,
            "binarize_threshold": binarize_threshold,
            "unclip_ratio": unclip_ratio,
        }
        return [
            _as_tensors(self.decode_image(decoding, maps, size_hw, max_detections, **settings))
            for maps, size_hw in zip(images, sizes, strict=True)
        ]

    def post_process_tiles(
        self,
        tile_maps: Sequence[Maps],
        tiles: Sequence[Tile],
        size_hw: tuple[int, int],
        max_detections: int | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Text instances of one photo that went through the model in tiles: `decode_tiles`, as tensors.

        Args:
            tile_maps: as there, like the others.
            tiles: as there.
            size_hw: as there.
            max_detections: as there.
            **settings: as there.

        Returns:
            One dict as of `post_process_text_detection`, in pixels of the photo.
        """
        return _as_tensors(self.decode_tiles(tile_maps, tiles, size_hw, max_detections, **settings))

    def post_process_object_detection(
        self,
        outputs: Any,
        threshold: float = 0.5,
        target_sizes: torch.Tensor | Sequence[tuple[int, int]] | None = None,
    ) -> list[dict[str, torch.Tensor]]:
        """The same instances as upright boxes, as the stock object-detection pipeline wants them.

        Args:
            outputs: as in `post_process_text_detection`.
            threshold: least score, 0..1.
            target_sizes: as in `post_process_text_detection`.

        Returns:
            Per image a dict: `"scores"` `(N,)`, `"labels"` `(N,)`, all 0 ("text"), and `"boxes"` `(N, 4)` as
            xmin, ymin, xmax, ymax around the polygons.
        """
        results = self.post_process_text_detection(outputs, threshold=threshold, target_sizes=target_sizes)
        return [
            {
                "scores": result["scores"],
                "labels": torch.zeros(len(result["scores"]), dtype=torch.long),
                "boxes": result["boxes"],
            }
            for result in results
        ]


def _as_tensors(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "scores": torch.from_numpy(found["scores"]),
        "polygons": [torch.from_numpy(polygon) for polygon in found["polygons"]],
        "boxes": torch.from_numpy(found["boxes"]),
    }
