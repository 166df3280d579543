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

from .model_backend import backend_of, device_of, on_backend

# What `Pipeline` itself takes; named in the error for an unknown keyword only.
BASE_PARAMETERS = ("batch_size", "num_workers")


class PicturePipeline(Pipeline):
    """Base of the pipelines.

    Args:
        model: As for every pipeline.
        args: As for every pipeline.
        backend: "torch"; "onnx" or "onnx-int8" for the export of that name in the model's folder, which
            onnxruntime runs on the CPU in float32; None for torch, or for the export where that is all there
            is.
        device: As for every pipeline.
        kwargs: As for every pipeline, and the defaults of the parameters of `__call__`.

    Attributes:
        network: What computes: `model`, or a leaner copy of it. Where both the pipeline and the model were
            asked for with `dtype="auto"`, as `pipeline(task)` does it, the model stays as it is (it is what
            is saved) and a copy without batch norms and other parts that only training needs runs in its
            place: in bfloat16 on a CPU that has instructions for it. A dtype that was named is kept to. When
            the weights of the model change, the next call makes the copy again.
        is_type_chosen: Whether the pipeline chose what `network` computes in.
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

    def __init__(self, model: Any, *args: Any, backend: str | None = None, device: Any = None, **kwargs: Any):
        self.network = model = on_backend(model, backend)
        device = device_of(model, device, kwargs.get("dtype"))
        super().__init__(model, *args, device=device, **kwargs)  # type: ignore[misc]
        # Batch statistics of a model left in training mode would make results depend on `batch_size`.
        if isinstance(self.model, torch.nn.Module):
            self.model.eval()
        is_open = kwargs.get("dtype") == "auto" and getattr(model, "dtype_is_open", False)
        self.is_type_chosen = is_open and not _is_placed(model)
        self._copied: list[tuple[int, int]] = []
        self._follow_model()

    @property
    def backend(self) -> str:
        """What runs the model: "torch", "onnx" or "onnx-int8"."""
        return backend_of(self.model)

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return getattr(self.network, "compute_dtype", None) or self.network.dtype

    @property
    def input_dtype(self) -> torch.dtype:
        """What the model takes pixels in."""
        return getattr(self.network, "input_dtype", None) or self.network.dtype

    @abstractmethod
    def _check_parameters(self, parameters: dict[str, Any]) -> None:
        """Raise `ValueError` for a value out of range before any image is read; `None` is always fine."""

    def _follow_model(self) -> None:
        """Makes `network` anew if it is a copy of other weights than the model has now."""
        model: Any = self.model
        if self.is_type_chosen and self._copied != (state := _weights_state(model)):
            self.network = model.inference_copy(fast_dtype(self.device))
            self._copied = state

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
        self._follow_model()
        inputs = _as_stock_inputs(inputs)
        if isinstance(inputs, list | KeyDataset) and len(inputs) == 0:
            # The stock pipeline would look at the first item, to recognise a chat. A typo is an error still.
            self._sanitize_parameters(**{k: v for k, v in kwargs.items() if k not in BASE_PARAMETERS})
            return []
        return super().__call__(inputs, **kwargs)


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 for a CPU that multiplies it by instructions of its own (AVX-512 BF16, AMX); `None` otherwise.

    Without them it is slower than float32, and half as exact for nothing.
    """
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public ones
    is_fast = device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in questions)
    return torch.bfloat16 if is_fast else None


def _weights_state(model: Any) -> list[tuple[int, int]]:
    """Something that is another as soon as a tensor of the model is replaced, moved or written to."""
    tensors = (*model.parameters(), *model.buffers())
    return [(one.data_ptr(), 0 if one.is_inference() else one._version) for one in tensors]


def _is_placed(model: Any) -> bool:
    """Whether accelerate or a quantizer has laid hands on the modules, which cannot be copied then."""
    return any(getattr(model, name, None) is not None for name in ("hf_device_map", "hf_quantizer"))


def image_of(item: Any) -> Any:
    """The image of a dataset's row `{"image": …}`, or what came."""
    return item["image"] if isinstance(item, dict) and "image" in item else item


def single(items: Any) -> Any:
    """An image's part of a batch: the stock pipeline hands it over bare, or, alone, in a list of one."""
    return items[0] if isinstance(items, list) else items


def _as_stock_inputs(inputs: Any) -> Any:
    """Turn tuples to lists and other iterables to generators, which the stock pipeline takes."""
    if isinstance(inputs, tuple):
        return list(inputs)
    stock_or_image = (str, bytes, bytearray, dict, list, np.ndarray, torch.Tensor, GeneratorType, Dataset)
    if isinstance(inputs, stock_or_image) or not isinstance(inputs, Iterable):
        return inputs
    return (image for image in inputs)
