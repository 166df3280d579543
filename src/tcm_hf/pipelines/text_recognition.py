"""`pipeline("text-recognition")`: crops of single words in, their texts out."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from collections.abc import Iterator
from pathlib import Path
from typing import Any, overload

from torch.utils.data import Dataset

from .crop_reading import crop_height_px
from .parameter_checks import check_range
from .picture_pipeline import PicturePipeline, image_of
from .recognized_text import RecognizedText


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
        """See `crop_height_px`."""
        return crop_height_px(self.processor.image_processor.size)

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

    def get_iterator(
        self,
        inputs: Any,
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[RecognizedText]:
        """As of the base class, but a list goes batch by batch: a third of the work around the model."""
        if not isinstance(inputs, list) or num_workers:
            return super().get_iterator(
                inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params
            )
        batches = (inputs[start : start + batch_size] for start in range(0, len(inputs), batch_size))
        return (
            found
            for batch in batches
            for found in self._decoded(
                self.forward(self._prepared(batch, **preprocess_params), **forward_params),
                **postprocess_params,
            )
        )

    def preprocess(self, image: Any, timeout: float | None = None) -> dict:
        """Decode a crop and make the model's input of it, "pixel_values" `(1, 3, h, w)`."""
        return self._prepared([image], timeout)

    def _prepared(self, images: list, timeout: float | None = None) -> dict:
        load = self.processor.image_processor.load_rgb_image
        crops = [load(image_of(image), timeout=timeout) for image in images]
        features = self.processor(images=crops, return_tensors="pt")
        return {"pixel_values": features["pixel_values"].to(self.input_dtype)}

    def _forward(
        self,
        model_inputs: dict,
        refine_iterations: int | None = None,
        use_cross_branch: bool | None = None,
    ) -> dict:
        options = {"refine_iterations": refine_iterations, "use_cross_branch": use_cross_branch}
        chosen = {name: value for name, value in options.items() if value is not None}
        return {"logits": self.network(**model_inputs, **chosen)["logits"]}  # (B, T, n + 1)

    def postprocess(self, model_outputs: dict, **parameters: Any) -> RecognizedText:
        """Decode the logits of one crop, `(1, T, n + 1)`."""
        (found,) = self._decoded(model_outputs, **parameters)
        return found

    def _decoded(
        self,
        model_outputs: dict,
        lexicon: Any = None,
        max_lexicon_distance: float | None = None,
        charset: str | None = None,
        return_characters: bool = False,
    ) -> list[RecognizedText]:
        found = self.processor.post_process_text_recognition(
            model_outputs, lexicon=lexicon, charset=charset, max_lexicon_distance=max_lexicon_distance
        )
        if not return_characters:
            for one in found:
                del one["characters"]
        return found

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Save the model and its processor, so that `pipeline("text-recognition", model=folder)` loads them.

        Args:
            save_directory: Folder to write; made if it does not exist.
            kwargs: Passed to `save_pretrained` of the model.
        """
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory)
