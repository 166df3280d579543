"""Reads pickles of NumPy arrays, as detectron2's model zoo has them, without calling anything in them."""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

DTYPES = {
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "b1": torch.bool,
}
"""By NumPy's code of a type."""

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


class _Type:
    """Stands for `numpy.dtype`: what the pickle makes with it, and then says of its byte order."""

    def __init__(self, code: Any, *_: Any):
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            raise pickle.UnpicklingError("its arrays were written on a big-endian machine")

    def tensor(self, raw: Any, shape: Any, is_fortran: bool) -> torch.Tensor:
        """The array of these bytes."""
        code = self.code.decode() if isinstance(self.code, bytes) else self.code
        if not isinstance(code, str) or code.lstrip("<|") not in DTYPES:
            raise pickle.UnpicklingError("it holds arrays of another type than numbers")
        dtype = DTYPES[code.lstrip("<|")]
        data = bytearray(raw.encode("latin1") if isinstance(raw, str) else raw)
        whole = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
        if not whole or math.prod(shape) * dtype.itemsize != len(data):
            raise pickle.UnpicklingError("it holds an array whose values are not all there")
        if not data:
            return torch.empty(shape, dtype=dtype)
        flat = torch.frombuffer(data, dtype=dtype)
        if not is_fortran:
            return flat.reshape(shape)
        return flat.reshape(shape[::-1]).permute(*reversed(range(len(shape)))).contiguous()


class _Array:
    """Stands for `numpy.ndarray`: swallows what it is made with, and keeps its values."""

    def __init__(self, *_: Any):
        self.tensor: torch.Tensor | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.tensor = _type(dtype).tensor(raw, shape, bool(is_fortran))


def _type(value: Any) -> _Type:
    if not isinstance(value, _Type):
        raise pickle.UnpicklingError("it holds an array of no type")
    return value


class _FromBuffer:
    """Stands for NumPy's way back from protocol 5."""

    # As of all that a pickle is given to call: without attributes there is nothing in it that it can change.
    __slots__ = ()

    def __call__(self, raw: Any, dtype: Any, shape: Any, order: Any = "C") -> _Array:
        array = _Array()
        array.tensor = _type(dtype).tensor(raw, shape, order == "F")
        return array


class _Encoded:
    """Stands for `_codecs.encode`: how pickles of protocol 2 spell bytes."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("it spells bytes in an unknown way")
        return text.encode("latin1")


class _NoBytes:
    """Stands for `bytes`: how pickles of protocol 2 spell none."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


class _ArrayUnpickler(pickle.Unpickler):
    """Never imports and never calls what the pickle names."""

    def find_class(self, module: str, name: str) -> Callable:
        """What stands for a global; raises UnpicklingError for whatever arrays are not made of."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("_codecs", "encode"):
            return _Encoded()
        if name == "bytes" and module in ("builtins", "__builtin__"):
            return _NoBytes()
        if (module, name) == ("numpy", "dtype"):
            return _Type
        if (module, name) == ("numpy", "ndarray") or (module in _MULTIARRAY and name == "_reconstruct"):
            return _Array
        if module in _NUMERIC and name == "_frombuffer":
            return _FromBuffer()
        raise pickle.UnpicklingError(f"it wants {module}.{name}, which is no array")


def read_array_pickle(path: Path) -> Mapping[str, Any]:
    """The dictionary that a pickle holds, its arrays as tensors.

    Args:
        path: the file.

    Raises:
        pickle.UnpicklingError: if it holds something else, as PyTorch's older files do, or wants anything but
            arrays of numbers and plain containers.
    """
    with path.open("rb") as stream:
        # Python 2 wrote the older ones.
        content = _ArrayUnpickler(stream, encoding="latin1").load()
    if not isinstance(content, Mapping):
        raise pickle.UnpicklingError(f"it holds a {type(content).__name__} and no dictionary")
    return _with_tensors(content)


def _with_tensors(content: Any, depth: int = 0) -> Any:
    """Dictionaries inside dictionaries, as deep as checkpoints have them, with tensors for arrays."""
    if isinstance(content, _Array):
        return content.tensor
    if isinstance(content, Mapping) and depth < 3:
        return {name: _with_tensors(value, depth + 1) for name, value in content.items()}
    return content


__all__ = ["read_array_pickle"]
