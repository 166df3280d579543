"""`pipeline("text-spotting")`: a photo in, its words with polygons out, in the order of reading."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator
from pathlib import Path
from typing import Any, overload

from torch.utils.data import Dataset
from transformers.pipelines import pipeline
from transformers.pipelines.base import Pipeline

from .crop_reading import CropReading
from .parameter_checks import check_choice, check_range
from .picture_pipeline import image_of, single
from .recognizer_folder import RECOGNIZER_FOLDER, find_recognizer
from .spotter_reading import SpotterReading
from .spotting_results import ReadWord, Spotted, in_order
from .text_detection import TextDetectionPipeline
from .text_recognition import TextRecognitionPipeline


class TextSpottingPipeline(TextDetectionPipeline):
    """Finds and reads the words of an image: with one model for both, or a detector and a recogniser.

    The model is any `AutoModelForTextSpotting`, which does both, or any `AutoModelForTextDetection`. What
    comes out is of the same kind for both.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> reader = pipeline("text-spotting")
    >>> reader("street.jpg", output="lines")
    [{'text': 'GRAND CAFE', 'score': 0.97, 'polygon': [[22.0, 12.4], ...], 'words': [...], ...}] ```

    Args:
        recognizer: What reads the words that the model finds: a `TextRecognitionPipeline`, or a folder or Hub
            id for `pipeline("text-recognition")`, which then gets the device, the dtype and the backend of
            the detector.
            `None` takes the recogniser saved with the model; without one a spotter reads by itself, and a
            detector gets the default of that task.
        backend: As for `TextDetectionPipeline`; the recogniser's, too.
        args: As for every pipeline.
        kwargs: As for every pipeline, and the defaults of the parameters of `__call__`.

    Attributes:
        reading: How words are read: a `CropReading` or a `SpotterReading`.

    Raises:
        ValueError: If the recogniser is a pipeline that reads no crops, or a spotter and its image processor
            do not mean the same characters.
    """

    forward_parameters = (*TextDetectionPipeline.decoding_parameters, *CropReading.parameters)
    postprocess_parameters = ("output", "sort", "return_characters")

    reading: CropReading | SpotterReading

    def __init__(self, *args: Any, recognizer: Any = None, backend: str | None = None, **kwargs: Any):
        super().__init__(*args, backend=backend, **kwargs)
        self.reading = self._chosen_reading(recognizer, backend)
        self._forward_params = self._for_reading(self._forward_params)

    @property
    def recognizer(self) -> TextRecognitionPipeline | None:
        """What reads the words; `None` where the model does so itself."""
        return self.reading.recognizer

    def _chosen_reading(self, recognizer: Any, backend: str | None) -> CropReading | SpotterReading:
        # Not by its class: a repository may bring the same class as a file of its own.
        if hasattr(type(recognizer), "prepare_parameters"):
            return CropReading(self.image_processor, recognizer)
        if isinstance(recognizer, Pipeline):
            raise ValueError(
                f"`recognizer` must read crops of words: got a {type(recognizer).__name__}. Pass a "
                "TextRecognitionPipeline, or a folder or Hub id for it."
            )
        # The code beside the detector is trusted where this very class came with it.
        is_trusted = recognizer is None and type(self).__module__.startswith("transformers_modules.")
        if recognizer is None:
            recognizer = find_recognizer(self.model)
        if recognizer is None and hasattr(self.image_processor, "post_process_text_spotting"):
            return SpotterReading(self.image_processor, self.model.config)
        loaded = pipeline(  # type: ignore[call-overload]
            "text-recognition",
            model=None if recognizer is None else str(recognizer),
            device=self.device,
            dtype="auto" if self.is_type_chosen else self.dtype,
            trust_remote_code=is_trusted or None,
            backend=backend,
        )
        return CropReading(self.image_processor, loaded)

    def _for_reading(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters of `_forward`, prepared; an error for those of another way of reading."""
        known = (*TextDetectionPipeline.decoding_parameters, *self.reading.parameters)
        for name, value in parameters.items():
            if value is not None and name not in known:
                raise ValueError(
                    f"`{name}` is nothing that a model which reads by itself goes by: it is for recognisers "
                    "of crops. Leave it out, or name a `recognizer`."
                )
        parameters = {name: value for name, value in parameters.items() if name in known}
        return self.reading.prepare_parameters(parameters)

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
        # While the model is set up it is not known yet who reads; `__init__` comes back to it.
        if hasattr(self, "reading"):
            forward = self._for_reading(forward)
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
                - `recognition_threshold`: smallest score of a reading, in [0, 1]; 0.3 by default, or as
                  stored with a model that reads by itself.
                - `output`: "words" (the default), "lines" or "paragraphs".
                - `sort`: "reading" (the default) or "score" (best first).
                - `lexicon`, `max_lexicon_distance`, `charset`, `return_characters`: as for
                  `TextRecognitionPipeline`.

                With a recogniser, any of these, too:

                - `refine_iterations`, `use_cross_branch`: as for `TextRecognitionPipeline`.
                - `rotations`: whether tall crops are also read after quarter turns, and others that make
                  little sense upside down. On by default.
                - `crop_margin`: how much more than its polygon is read around a word, in heights of the word.
                - `recognition_batch_size`: words at once; speed and memory only, results are the same.

                And `batch_size`, `num_workers`: photos at once; likewise.

        Returns:
            For one image a list of `SpottedWord`, `SpottedLine` or `SpottedParagraph`, empty where no text
            was found; words that read as nothing are left out. For a list, one such list per image. For a
            stream, an iterator over them.

        Raises:
            TypeError: For an unknown keyword, or an input that is no image.
            ValueError: For a value out of range or that the models do not go by, or an image that cannot be
                read.
        """
        return super().__call__(inputs, **kwargs)

    def preprocess(self, image: Any, timeout: float | None = None, tile: str | int | None = None) -> dict:
        """As the detector's; "image_rgb" `(H, W, 3)` uint8 comes along, to cut the words out of it."""
        image_rgb = self.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        return {"images": [self._prepared(image_rgb, tile) | {"image_rgb": image_rgb}]}

    def _forward(self, model_inputs: dict, **parameters: Any) -> dict:
        photos = [single(item) for item in model_inputs["images"]]
        maps = super()._forward(model_inputs)["images"]
        images = [{"image_rgb": photo["image_rgb"], **own} for photo, own in zip(photos, maps, strict=True)]
        reading = {name: parameters.pop(name) for name in self.reading.parameters if name in parameters}
        words = self.reading.read(images, parameters, reading)
        return {"images": [{"words": of_image} for of_image in words]}

    def postprocess(
        self,
        model_outputs: dict,
        output: str | None = None,
        sort: str | None = None,
        return_characters: bool = False,
    ) -> Spotted:
        """Put the words of one image in order."""
        words: list[ReadWord] = single(model_outputs["images"])["words"]
        return in_order(words, output, sort, return_characters)

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save the model, and the recogniser, if there is one, in the folder "recognizer" inside.

        `pipeline("text-spotting", model=folder)` finds both; `pipeline("text-detection", model=folder)` is
        the detector alone.

        Args:
            save_directory: Folder to write; made if it does not exist.
            kwargs: Passed to `save_pretrained` of the models.
        """
        super().save_pretrained(save_directory, **kwargs)
        if self.recognizer is not None:
            self.recognizer.save_pretrained(Path(save_directory) / RECOGNIZER_FOLDER, **kwargs)
