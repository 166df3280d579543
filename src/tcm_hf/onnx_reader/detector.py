"""The detector: photos to maps, and what the maps say."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from tcm_hf.modeling.onnx_session import ONNX_FILES, OnnxSession
from tcm_hf.onnx_reader.checkpoint_files import DETECTOR, check_libraries, read_config, read_json
from tcm_hf.onnx_reader.pictures import Preparation
from tcm_hf.processing.outline_decoding import OutlineDecoding
from tcm_hf.processing.photo_sizes import PhotoSizes
from tcm_hf.processing.word_crops import WordCropping


class Detector(PhotoSizes, OutlineDecoding, WordCropping):
    """Finds the words of photos.

    The sizes and the settings of the decoding are those saved with the model, as attributes.

    Args:
        folder: of the exported detector.
        num_threads: of onnxruntime; None for all cores.
        backend: a name of `ONNX_FILES`.

    Raises:
        ValueError: if the folder holds no exported detector.
        ImportError: if its outlines need libraries that are not here.
    """

    def __init__(self, folder: Path, num_threads: int | None = None, backend: str = "onnx"):
        config = read_config(folder, DETECTOR)
        settings = read_json(folder / "preprocessor_config.json")
        self.head_type: str = config["head_config"]["head_type"]
        self.preparation = Preparation(settings)
        self.size = self.preparation.size
        for name in ("size_divisor", "max_detections", *self.get_decoding_settings()):
            setattr(self, name, settings.get(name, getattr(self, name)))
        check_libraries(self.head_type, self.polygon_mode)
        self.session = OnnxSession(folder / ONNX_FILES[backend], num_threads)

    def maps(self, image_rgb: np.ndarray, tile: int | Literal["auto"] | None = None) -> dict[str, Any]:
        """What the network says of a photo.

        Args:
            image_rgb: `(H, W, 3)` uint8.
            tile: None for the whole photo at once, "auto" or a side in pixels for tiles, see `plan_tiles`.

        Returns:
            "tile_maps", "boxes" of the tiles, "size_hw" and "image_rgb", for `CropReading`.
        """
        height, width = image_rgb.shape[:2]
        boxes = self.plan_tiles((height, width), tile)
        tile_maps = []
        for x0, y0, x1, y1 in boxes:
            size_hw = self.get_processed_size_hw((y1 - y0, x1 - x0))
            pixel_values = self.preparation.pixel_values([image_rgb[y0:y1, x0:x1]], size_hw)
            tile_maps += self.split_images(self.session.run({"pixel_values": pixel_values}))
        return {"tile_maps": tile_maps, "boxes": boxes, "size_hw": (height, width), "image_rgb": image_rgb}

    def post_process_tiles(self, *args: Any, **settings: Any) -> dict[str, Any]:
        """`decode_tiles`, by the name that image processors have for it."""
        return self.decode_tiles(*args, **settings)
