"""`pipeline("text-spotting")`: a photo in, its words with polygons out, in the order of reading."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from torch.utils.data import Dataset
from transformers.pipelines import pipeline
from transformers.pipelines.base import Pipeline

from .picture_pipeline import check_choice, check_range, image_of, single
from .recognizer_folder import RECOGNIZER_FOLDER, find_recognizer
from .spotting_results import ReadWord, SpottedLine, SpottedParagraph, SpottedWord, arrange, read_word
from .text_detection import TextDetectionPipeline
from .text_recognition import RecognizedText, TextRecognitionPipeline

_TALL = 1.5  # crops higher than this many widths hold rotated words, or letters below one another
# Both chosen on the training photos 831-890 of ICDAR 2015: hmean 0.397 end to end; without a threshold 0.348.
_MARGIN = 0.05  # detectors cut descenders; in heights of the word
_LEAST_SCORE = 0.3
_WORDS_AT_ONCE = 16
_UPSIDE_DOWN_BELOW = 0.5  # readings with a higher score need no second look
_CLEARLY = 0.5  # by which it must be better then: words upside down are rare, odd letters are not

_RECOGNITION = ("lexicon", "max_lexicon_distance", "charset", "refine_iterations", "use_cross_branch")
Spotted = list[SpottedWord] | list[SpottedLine] | list[SpottedParagraph]


class _Reading(NamedTuple):
    """What a crop says after so many quarter turns anticlockwise."""

    found: RecognizedText
    quarter_turns: int


class TextSpottingPipeline(TextDetectionPipeline):
    """Finds and reads the words of an image: any `AutoModelForTextDetection` with a recogniser behind it.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> reader = pipeline("text-spotting")
    >>> reader("street.jpg", output="lines")
    [{'text': 'GRAND CAFE', 'score': 0.97, 'polygon': [[22.0, 12.4], ...], 'words': [...], ...}] ```

    Args:
        recognizer: What reads the words: a `TextRecognitionPipeline`, or a folder or Hub id for
            `pipeline("text-recognition")`, which then gets the device and the dtype of the detector. `None`
            takes the recogniser saved with the detector, else the default of that task.
        args: As for every pipeline.
        kwargs: As for every pipeline, and the defaults of the parameters of `__call__`.

    Raises:
        ValueError: If the recogniser is a pipeline that reads no crops.
    """

    forward_parameters = (
        *TextDetectionPipeline.decoding_parameters,
        *_RECOGNITION,
        "recognition_batch_size",
        "rotations",
        "crop_margin",
    )
    postprocess_parameters = ("recognition_threshold", "output", "sort", "return_characters")

    recognizer: TextRecognitionPipeline

    def __init__(self, *args: Any, recognizer: Any = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.recognizer = self._as_pipeline(recognizer)
        self._forward_params = self.recognizer.prepare_parameters(self._forward_params)

    def _as_pipeline(self, recognizer: Any) -> Any:
        if isinstance(recognizer, Pipeline):
            # Not by its class: a repository may bring the same class as a file of its own.
            if not hasattr(type(recognizer), "prepare_parameters"):
                raise ValueError(
                    f"`recognizer` must read crops of words: got a {type(recognizer).__name__}. Pass a "
                    "TextRecognitionPipeline, or a folder or Hub id for it."
                )
            return recognizer
        # The code beside the detector is trusted where this very class came with it.
        is_trusted = recognizer is None and type(self).__module__.startswith("transformers_modules.")
        if recognizer is None:
            recognizer = find_recognizer(self.model)
        return pipeline(  # type: ignore[call-overload]
            "text-recognition",
            model=None if recognizer is None else str(recognizer),
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=is_trusted or None,
        )

    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        super()._check_parameters(parameters)
        check_range(parameters, "recognition_threshold", 0, 1)
        check_range(parameters, "recognition_batch_size", 1)
        check_range(parameters, "refine_iterations", 0)
        check_range(parameters, "crop_margin", -0.4, 2)
        check_range(parameters, "max_lexicon_distance", 0, 1)
        check_choice(parameters, "output", ("words", "lines", "paragraphs"))

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict, dict, dict]:
        preprocess, forward, postprocess = super()._sanitize_parameters(**kwargs)
        # While the detector is set up there is no recogniser yet; `__init__` comes back to it.
        if hasattr(self, "recognizer"):
            forward = self.recognizer.prepare_parameters(forward)
        return preprocess, forward, postprocess

    @overload
    def __call__(self, inputs: list | tuple, **kwargs: Any) -> list[Spotted]: ...

    @overload
    def __call__(self, inputs: Dataset | Iterator, **kwargs: Any) -> Iterator[Spotted]: ...

    @overload
    def __call__(self, inputs: Any, **kwargs: Any) -> Spotted: ...

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Find and read the words of one image, of a list of images, or of a stream of images.

        Args:
            inputs: As for `TextDetectionPipeline`.
            kwargs: Any of these; `None` means the value stored with the models.

                - `threshold`, `binarize_threshold`, `unclip_ratio`, `max_detections`, `tile`, `timeout`: as
                  for `TextDetectionPipeline`; `threshold` is for the score of the detection.
                - `polygon_mode`: "polygon" follows words that are curved, "quad" takes every word for a
                  rectangle; as stored with the detector by default.
                - `recognition_threshold`: smallest score of a reading, in [0, 1]; 0.3 by default.
                - `output`: "words" (the default), "lines" or "paragraphs".
                - `sort`: "reading" (the default) or "score" (best first).
                - `lexicon`, `max_lexicon_distance`, `charset`, `refine_iterations`, `use_cross_branch`,
                  `return_characters`: as for `TextRecognitionPipeline`.
                - `rotations`: whether tall crops are also read after quarter turns, and others that make
                  little sense upside down. On by default.
                - `crop_margin`: how much more than its polygon is read around a word, in heights of the word.
                - `batch_size`, `recognition_batch_size`, `num_workers`: photos and words at once; speed and
                  memory only, results are the same.

        Returns:
            For one image a list of `SpottedWord`, `SpottedLine` or `SpottedParagraph`, empty where no text
            was found; words that read as nothing are left out. For a list, one such list per image. For a
            stream, an iterator over them.

        Raises:
            TypeError: For an unknown keyword, or an input that is no image.
            ValueError: For a value out of range, or an image that cannot be read.
        """
        return super().__call__(inputs, **kwargs)

    def preprocess(self, image: Any, timeout: float | None = None, tile: str | int | None = None) -> dict:
        """As the detector's; "image_rgb" `(H, W, 3)` uint8 comes along, to cut the words out of it."""
        image_rgb = self.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        return {"images": [self._prepared(image_rgb, tile) | {"image_rgb": image_rgb}]}

    def _forward(
        self,
        model_inputs: dict,
        recognition_batch_size: int | None = None,
        rotations: bool | None = None,
        crop_margin: float | None = None,
        **parameters: Any,
    ) -> dict:
        images = [single(item) for item in model_inputs["images"]]
        reading = {name: parameters.pop(name) for name in _RECOGNITION if name in parameters}
        reading["batch_size"] = recognition_batch_size or _WORDS_AT_ONCE
        maps = super()._forward(model_inputs)["images"]
        founds = [TextDetectionPipeline.postprocess(self, {"images": one}, **parameters) for one in maps]
        crops = [
            self.image_processor.crop_words(
                image["image_rgb"],
                [np.array(detection["polygon"]) for detection in found],
                short_side_px=self.recognizer.crop_height_px,
                margin=_MARGIN if crop_margin is None else crop_margin,
            )
            for image, found in zip(images, founds, strict=True)
        ]
        of_all = [crop.image for of_image in crops for crop in of_image]
        readings = iter(self._read(of_all, rotations is not False, reading))
        words = [
            [
                read_word(detection["score"], crop, *next(readings))
                for detection, crop in zip(found, of_image, strict=True)
            ]
            for found, of_image in zip(founds, crops, strict=True)
        ]
        return {"images": [{"words": of_image} for of_image in words]}

    def _read(self, crops: Sequence[np.ndarray], rotations: bool, options: dict[str, Any]) -> list[_Reading]:
        """Read crops of all photos together, the way round that makes most sense of each."""
        tall = [rotations and crop.shape[0] > _TALL * crop.shape[1] for crop in crops]
        tries = [(i, turns) for i in range(len(crops)) for turns in ((0, 1, 3) if tall[i] else (0,))]
        best: dict[int, _Reading] = {}
        for (i, turns), found in zip(tries, self._read_turned(crops, tries, options), strict=True):
            if i not in best or found["score"] > best[i].found["score"]:
                best[i] = _Reading(found, turns)
        doubtful = [
            (i, 2)
            for i in range(len(crops))
            if rotations and not tall[i] and best[i].found["score"] < _UPSIDE_DOWN_BELOW
        ]
        for (i, turns), found in zip(doubtful, self._read_turned(crops, doubtful, options), strict=True):
            if found["score"] > best[i].found["score"] + _CLEARLY:
                best[i] = _Reading(found, turns)
        return [best[i] for i in range(len(crops))]

    def _read_turned(
        self, crops: Sequence[np.ndarray], tries: list[tuple[int, int]], options: dict[str, Any]
    ) -> list[RecognizedText]:
        """Read crops, each given by its index and the number of quarter turns anticlockwise."""
        turned = [np.ascontiguousarray(np.rot90(crops[i], turns)) for i, turns in tries]
        # It counts calls to warn of work that comes one by one; ours comes in batches.
        self.recognizer.call_count = 0
        return self.recognizer(turned, return_characters=True, **options)

    def postprocess(
        self,
        model_outputs: dict,
        recognition_threshold: float | None = None,
        output: str | None = None,
        sort: str | None = None,
        return_characters: bool = False,
    ) -> Spotted:
        """Put the words of one image in order."""
        least = _LEAST_SCORE if recognition_threshold is None else recognition_threshold
        words: list[ReadWord] = single(model_outputs["images"])["words"]
        legible = [word for word in words if word["read"]["text"] and word["read"]["score"] >= least]
        paragraphs = arrange(legible, return_characters)
        lines = [line for paragraph in paragraphs for line in paragraph["lines"]]
        results: dict[str, Any] = {
            "words": [word for line in lines for word in line["words"]],
            "lines": lines,
            "paragraphs": paragraphs,
        }
        wanted = results[output or "words"]
        return sorted(wanted, key=itemgetter("score"), reverse=True) if sort == "score" else wanted

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save the detector, and the recogniser in the folder "recognizer" inside.

        `pipeline("text-spotting", model=folder)` finds both; `pipeline("text-detection", model=folder)` is
        the detector alone.

        Args:
            save_directory: Folder to write; made if it does not exist.
            kwargs: Passed to `save_pretrained` of the models.
        """
        super().save_pretrained(save_directory, **kwargs)
        self.recognizer.save_pretrained(Path(save_directory) / RECOGNIZER_FOLDER, **kwargs)
