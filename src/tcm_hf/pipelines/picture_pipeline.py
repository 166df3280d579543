"""What our pipelines share: pictures of any kind come in, alone, in lists or in streams; typos are errors."""

# The base class types its flags as None and its four methods by names that every subclass changes.
# mypy: disable-error-code="override,assignment"

from abc import abstractmethod
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers.pipelines.base import Pipeline
from transformers.pipelines.pt_utils import KeyDataset

# What `Pipeline` itself takes; named in the error for an unknown keyword only.
BASE_PARAMETERS = ("batch_size", "num_workers")


class PicturePipeline(Pipeline):
    """Base of the pipelines.

    Attributes:
        preprocess_parameters: names of the parameters of `preprocess`.
        forward_parameters: names of the parameters of `_forward`.
        postprocess_parameters: names of the parameters of `postprocess`.
    """

    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    preprocess_parameters: tuple[str, ...] = ()
    forward_parameters: tuple[str, ...] = ()
    postprocess_parameters: tuple[str, ...] = ()

    image_processor: Any
    processor: Any

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Batch statistics of a model left in training mode would make results depend on `batch_size`.
        if isinstance(self.model, torch.nn.Module):
            self.model.eval()

    @abstractmethod
    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        """Raise `ValueError` for a value out of range before any image is read; `None` is always fine."""

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict, dict, dict]:
        groups = (self.preprocess_parameters, self.forward_parameters, self.postprocess_parameters)
        known = {name for group in groups for name in group}
        unknown = sorted(set(kwargs) - known)
        if unknown:
            names = ", ".join(f"`{name}`" for name in unknown)
            raise TypeError(
                f"{type(self).__name__} got an unexpected keyword: {names}. "
                f"It takes {', '.join(sorted((*known, *BASE_PARAMETERS)))}."
            )
        self._check_parameters(kwargs)
        preprocess, forward, postprocess = (
            {name: kwargs[name] for name in group if name in kwargs} for group in groups
        )
        return preprocess, forward, postprocess

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Run on one image, on a list of images, or on a stream of images."""
        inputs = _as_stock_inputs(inputs)
        if isinstance(inputs, list | KeyDataset) and len(inputs) == 0:
            # The stock pipeline would look at the first item, to recognise a chat. A typo is an error still.
            self._sanitize_parameters(**{k: v for k, v in kwargs.items() if k not in BASE_PARAMETERS})
            return []
        return super().__call__(inputs, **kwargs)


def image_of(item: Any) -> Any:
    """The image of a dataset's row `{"image": …}`, or what came."""
    return item["image"] if isinstance(item, dict) and "image" in item else item


def single(items: Any) -> Any:
    """An image's part of a batch: the stock pipeline hands it over bare, or, alone, in a list of one."""
    return items[0] if isinstance(items, list) else items


def check_range(parameters: dict[str, Any], name: str, low: float, high: float | None = None) -> None:
    """Raise `ValueError` for a parameter below `low` or above `high`, `TypeError` for no number."""
    value = parameters.get(name)
    if value is None:
        return
    wanted = f"at least {low}" if high is None else f"in [{low}, {high}]"
    try:
        fits = low <= value and (high is None or value <= high)
    except TypeError:
        raise TypeError(f"`{name}` must be a number {wanted}: got {value!r}.") from None
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}: got {value}.")


def check_choice(parameters: dict[str, Any], name: str, choices: tuple[str, ...]) -> None:
    """Raise `ValueError` for a parameter that is none of the choices."""
    value = parameters.get(name)
    if value is not None and value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}: got {value!r}.")


def _as_stock_inputs(inputs: Any) -> Any:
    """Turn tuples to lists and other iterables to generators, which the stock pipeline takes."""
    if isinstance(inputs, tuple):
        return list(inputs)
    stock_or_image = (str, bytes, bytearray, dict, list, np.ndarray, torch.Tensor, GeneratorType, Dataset)
    if isinstance(inputs, stock_or_image) or not isinstance(inputs, Iterable):
        return inputs
    return (image for image in inputs)
