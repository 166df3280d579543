"""`pipeline("text-recognition")`: crops of single words in, their texts out."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict, overload

from torch.utils.data import Dataset

from .picture_pipeline import PicturePipeline, check_range, image_of

_MIN_CROP_HEIGHT_PX = 64


class RecognizedCharacter(TypedDict):
    """One character of a word and its probability, 0..1."""

    character: str
    score: float


class RecognizedText(TypedDict):
    """The text of one crop.

    `score` is the product of the probabilities of its characters and of its end, 0..1. `characters` is there
    on request, `edit_distance` (from what was read to the word of the lexicon) where a word of a lexicon was
    taken.
    """

    text: str
    score: float
    characters: NotRequired[list[RecognizedCharacter]]
    edit_distance: NotRequired[int]


class TextRecognitionPipeline(PicturePipeline):
    """Reads crops of single words with any `AutoModelForTextRecognition` whose processor decodes its outputs.

    ```python
    >>> import tcm_hf
    >>> from transformers import pipeline

    >>> recognizer = pipeline("text-recognition")
    >>> recognizer("word.png")
    {'text': 'Reading', 'score': 0.98} ```

    Parameters given when the pipeline is made are the defaults of every call; see `__call__`.
    """

    _load_processor = True

    preprocess_parameters = ("timeout",)
    forward_parameters = ("refine_iterations", "use_cross_branch")
    postprocess_parameters = ("lexicon", "max_lexicon_distance", "charset", "return_characters")

    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        check_range(parameters, "refine_iterations", 0)
        check_range(parameters, "max_lexicon_distance", 0, 1)

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict, dict, dict]:
        preprocess, forward, postprocess = super()._sanitize_parameters(**kwargs)
        return preprocess, self.prepare_parameters(forward), self.prepare_parameters(postprocess)

    def prepare_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Check parameters against the model, and prepare the lexicon once for all crops.

        Raises:
            ValueError: For characters that the model does not read, a cross branch that it has not, or a
                lexicon that is none.
        """
        if parameters.get("charset") is not None:
            self.processor.check_charset(parameters["charset"])
        if parameters.get("use_cross_branch") and not getattr(self.model.config, "use_cross_branch", True):
            raise ValueError("`use_cross_branch`: the model has no cross branch to read with. Leave it out.")
        if parameters.get("lexicon") is None:
            return parameters
        return parameters | {"lexicon": self.processor.make_lexicon(parameters["lexicon"])}

    @property
    def crop_height_px(self) -> int:
        """Height of crops that loses nothing: that of the network's picture, or more where that is small."""
        size = self.processor.image_processor.size
        return max(_MIN_CROP_HEIGHT_PX, int(size["height"]))

    @overload
    def __call__(self, inputs: list | tuple, **kwargs: Any) -> list[RecognizedText]: ...

    @overload
    def __call__(self, inputs: Dataset | Iterator, **kwargs: Any) -> Iterator[RecognizedText]: ...

    @overload
    def __call__(self, inputs: Any, **kwargs: Any) -> RecognizedText: ...

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Read one crop, a list of crops, or a stream of crops.

        Args:
            inputs: A picture of one word that fills it: a path, a URL, a base64 string or data URI, `Path`,
                `bytes`, a PIL image of any mode, an RGB array (H, W, 3) uint8 or a tensor (3, H, W). EXIF
                orientation is honoured. Or a list of such; or a generator, a `KeyDataset` or another dataset
                of such (or of rows `{"image": …}`), which is consumed lazily.
            kwargs: Any of these; `None` means the value stored with the model.

                - `refine_iterations`: how often a reading is looked at again as a whole.
                - `use_cross_branch`: whether the reading is compared with the picture by CLIP's text tower.
                - `lexicon`: words of which the nearest is taken, ignoring case; the same for all crops.
                - `max_lexicon_distance`: a reading that is farther from its word stays as it was read: edits
                  over the length of the longer of the two, in [0, 1]. `None` always takes a word; 0.4 is
                  usual where other words than those of the lexicon can come.
                - `charset`: the only characters that may be read, as "0123456789".
                - `return_characters`: whether the characters come with their probabilities.
                - `timeout`: seconds to wait for a URL; `None` waits for ever.
                - `batch_size`, `num_workers`: speed and memory only, results are the same.

        Returns:
            For one crop a `RecognizedText`. For a list, one per crop. For a stream, an iterator over them.

        Raises:
            TypeError: For an unknown keyword, or an input that is no image.
            ValueError: For a value out of range, or an image that cannot be read.
        """
        return super().__call__(inputs, **kwargs)

    def preprocess(self, image: Any, timeout: float | None = None) -> dict:
        """Decode a crop and make the model's input of it, "pixel_values" `(1, 3, h, w)`."""
        image_rgb = self.processor.image_processor.load_rgb_image(image_of(image), timeout=timeout)
        features = self.processor(images=[image_rgb], return_tensors="pt")
        return {"pixel_values": features["pixel_values"].to(self.dtype)}

    def _forward(
        self,
        model_inputs: dict,
        refine_iterations: int | None = None,
        use_cross_branch: bool | None = None,
    ) -> dict:
        options = {"refine_iterations": refine_iterations, "use_cross_branch": use_cross_branch}
        chosen = {name: value for name, value in options.items() if value is not None}
        return {"logits": self.model(**model_inputs, **chosen)["logits"]}  # (B, T, n + 1)

    def postprocess(
        self,
        model_outputs: dict,
        lexicon: Any = None,
        max_lexicon_distance: float | None = None,
        charset: str | None = None,
        return_characters: bool = False,
    ) -> RecognizedText:
        """Decode the logits of one crop, `(1, T, n + 1)`."""
        (found,) = self.processor.post_process_text_recognition(
            model_outputs, lexicon=lexicon, charset=charset, max_lexicon_distance=max_lexicon_distance
        )
        if not return_characters:
            del found["characters"]
        return found

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save the model and its processor, so that `pipeline("text-recognition", model=folder)` loads them.

        Args:
            save_directory: Folder to write; made if it does not exist.
            kwargs: Passed to `save_pretrained` of the model.
        """
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory)
