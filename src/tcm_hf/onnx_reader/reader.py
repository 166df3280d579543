"""Photos in, words out: `pipeline("text-spotting")` without torch."""

from pathlib import Path
from typing import Any, Literal

from tcm_hf.onnx_reader.checkpoint_files import OWN_MODEL, RECOGNIZER_FOLDER, check_libraries
from tcm_hf.onnx_reader.detector import Detector
from tcm_hf.onnx_reader.pictures import load_rgb_image
from tcm_hf.onnx_reader.recognizer import Recognizer
from tcm_hf.pipelines.crop_reading import CropReading
from tcm_hf.pipelines.parameter_checks import check_choice, check_range
from tcm_hf.pipelines.spotting_results import Spotted, in_order

_DETECTION = ("threshold", "binarize_threshold", "unclip_ratio", "polygon_mode", "max_detections")
# The graph has been made for one value of these.
_EXPORTED = ("refine_iterations", "use_cross_branch")


class Reader:
    """Finds and reads the words of photos, from exported models.

    ```python
    >>> from tcm_hf.onnx_reader import Reader

    >>> reader = Reader("exported")
    >>> [word["text"] for word in reader("street.jpg")]
    ['GRAND', 'CAFE', ...] ```

    Args:
        folder: of the exported detector, with the exported recogniser in the folder "recognizer" inside; None
            for the models that came with the reader's wheel.
        recognizer: folder of another recogniser.
        num_threads: threads that onnxruntime computes with; None for as many as this process may use.
        backend: "onnx", or "onnx-int8" for the files with 8-bit weights.

    Raises:
        ValueError: if a folder holds no such export.
        ImportError: if the detector's outlines need libraries that are not here.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        recognizer: str | Path | None = None,
        num_threads: int | None = None,
        backend: str = "onnx",
    ):
        if folder is None and not OWN_MODEL.is_dir():
            raise ValueError(
                "No model came with this installation: give the folder that `tcm-hf export MODEL FOLDER --to "
                "onnx` writes."
            )
        place = OWN_MODEL if folder is None else Path(folder)
        read_by = place / RECOGNIZER_FOLDER if recognizer is None else Path(recognizer)
        self.detector = Detector(place, num_threads, backend)
        self.reading = CropReading(self.detector, Recognizer(read_by, num_threads, backend))

    def __call__(
        self,
        image: Any,
        *,
        output: str = "words",
        sort: str = "reading",
        tile: int | Literal["auto"] | None = None,
        return_characters: bool = False,
        **settings: Any,
    ) -> Spotted:
        """Find and read the words of a photo.

        Args:
            image: a path, the bytes of an image file, or an RGB array `(H, W, 3)` uint8.
            output: "words", "lines" or "paragraphs".
            sort: "reading", or "score" for the best first.
            tile: None for the whole photo at once, "auto" for tiles where letters would become illegible, or
                the side of a tile in pixels.
            return_characters: whether words come with their characters' probabilities.
            **settings: `threshold`, `binarize_threshold`, `unclip_ratio`, `polygon_mode`, `max_detections`,
                `recognition_threshold`, `lexicon`, `max_lexicon_distance`, `charset`, `rotations`,
                `crop_margin`, `recognition_batch_size`: as of `pipeline("text-spotting")`.

        Returns:
            What `pipeline("text-spotting")` returns for a photo: words with "text", "score", "polygon" … in
            pixels of the upright photo.

        Raises:
            ValueError: if the photo cannot be read, or a value is out of range.
            TypeError: for another setting, or an image of another kind.
        """
        detection = {name: settings.pop(name) for name in _DETECTION if name in settings}
        known = [name for name in CropReading.parameters if name not in _EXPORTED]
        if unknown := sorted(set(settings) - set(known)):
            raise TypeError(f"The reader takes no {unknown}: it takes {sorted([*_DETECTION, *known])}.")
        check_choice({"output": output}, "output", ("words", "lines", "paragraphs"))
        check_choice({"sort": sort}, "sort", ("reading", "score"))
        check_range(settings, "recognition_threshold", 0, 1)
        check_range(settings, "recognition_batch_size", 1)
        check_range(settings, "crop_margin", -0.4, 2)
        check_range(settings, "max_lexicon_distance", 0, 1)
        check_range(detection, "max_detections", 1)
        if tile not in (None, "auto") and not (isinstance(tile, int) and tile >= 32):
            raise ValueError(f'`tile` must be None, "auto" or a side of at least 32 pixels: got {tile!r}.')
        check_libraries(self.detector.head_type, detection.get("polygon_mode") or self.detector.polygon_mode)
        reading = self.reading.prepare_parameters(settings)
        maps = self.detector.maps(load_rgb_image(image), tile)
        (words,) = self.reading.read([maps], detection, reading)
        return in_order(words, output, sort, return_characters)
