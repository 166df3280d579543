"""Reads the tensors of PyTorch's zip archives, TorchScript included, without running anything in them.

A pickle is a program: it names functions and calls them. This reader gives it nothing to call but the making
of tensors, ordered dictionaries and inert stand-ins.
"""

import copy
import io
import pickle
import reprlib
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

DTYPE_OF_STORAGE = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

READ_BYTES = 2**20
"""How much of an entry is held in memory while its checksum is computed."""

LIST_MAKERS = {"build_boollist", "build_doublelist", "build_intlist", "build_tensorlist", "restore_type_tag"}
"""TorchScript's functions that note the type of a list."""

SETTINGS_MODULES = (
    "argparse",
    "datetime",
    "enum",
    "lightning",
    "lightning_fabric",
    "lightning_utilities",
    "mmcv",
    "mmengine",
    "numpy",
    "omegaconf",
    "pathlib",
    "pytorch_lightning",
    "strhub",
    "torch",
    "torchmetrics",
    "typing",
)
"""Packages whose objects training programs store beside the weights. They are replaced by stand-ins, not
imported and not called; anything else in a pickle is refused."""

SETTINGS_NAMES = {
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list",
                     "object", "range", "set", "slice", "str", "tuple")
    ),
    "_codecs.encode",  # how pickles of protocol 2 spell bytes
    "collections.Counter",
    "collections.defaultdict",
    "collections.deque",
    "copyreg._reconstructor",
}  # fmt: skip
"""Harmless names of the standard library that such objects are made of; they are not called either."""


class StandIn:
    """Takes the place of an object that is no tensor; swallows whatever the pickle does to it."""

    name = ""
    """Full name of the class or function that the pickle wanted."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> "StandIn":
        """Takes any arguments, and forgets them; a pickle may skip `__init__`."""
        stand_in = super().__new__(cls)
        stand_in.state = None
        return stand_in

    def __init__(self, *arguments: Any, **keywords: Any):
        self.state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """The pickle fills a dictionary."""

    def append(self, value: Any) -> None:
        """The pickle fills a list."""

    def extend(self, values: Any) -> None:
        """The pickle fills a list."""

    def add(self, value: Any) -> None:
        """The pickle fills a set."""


class ScriptedModule(StandIn):
    """A module of a TorchScript archive: its attributes are the state that the pickle gives it."""


def _stand_in(base: type[StandIn], name: str) -> type[StandIn]:
    # A class of its own for each name: what a pickle does to it cannot reach another file's.
    return type(base.__name__, (base,), {"name": name})


class _StorageType:
    """Names the element type in a pickle's reference to a storage; cannot be called."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype


class _TensorMaker:
    """Stands for `torch._utils._rebuild_tensor_v2`."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
        if not isinstance(storage, torch.Tensor):
            raise pickle.UnpicklingError("it holds a tensor without a storage")
        return storage.as_strided(tuple(size), tuple(stride), offset)


class _ParameterMaker:
    """Stands for `torch._utils._rebuild_parameter`: a parameter is read as its tensor."""

    __slots__ = ()

    def __call__(self, tensor: Any, *_: Any) -> Any:
        return tensor


class _ListMaker:
    """Stands for one of `LIST_MAKERS`: the list is read as it is."""

    __slots__ = ()

    def __call__(self, values: Any, *_: Any) -> Any:
        return values


class ArchiveUnpickler(pickle.Unpickler):
    """Unpickles `data.pkl` of an archive; never imports and never calls what the pickle names.

    Args:
        archive: the open archive.
        folder: name of the folder inside the archive, with its slash.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(io.BytesIO(_content(archive, archive.getinfo(f"{folder}data.pkl"))))
        self._archive, self._folder = archive, folder
        self._storages: dict[str, torch.Tensor] = {}
        self.left_out: set[str] = set()
        """Names of the classes that stand-ins took the place of."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a global that the pickle names.

        Raises:
            pickle.UnpicklingError: for anything but tensors, plain containers and settings of training
                programs.
        """
        full_name = f"{module}.{name}"
        if full_name == "collections.OrderedDict":
            return OrderedDict
        if module == "torch" and name in DTYPE_OF_STORAGE:
            return _StorageType(DTYPE_OF_STORAGE[name])
        if module == "torch._utils":
            if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
                return _TensorMaker()
            if name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
                return _ParameterMaker()
        if module == "torch.jit._pickle" and name in LIST_MAKERS:
            return _ListMaker()
        if module.split(".")[0] == "__torch__":
            return _stand_in(ScriptedModule, full_name)
        if _is_setting(module, name):
            self.left_out.add(full_name)
            return _stand_in(StandIn, full_name)
        raise pickle.UnpicklingError(f"it wants {full_name}, which is no tensor")

    def persistent_load(self, reference: Any) -> torch.Tensor:
        """The elements of a storage, one-dimensional."""
        if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
            raise pickle.UnpicklingError(
                f"it refers to something that is no storage: {reprlib.repr(reference)}"
            )
        _, kind, key, _, count = reference[:5]
        if not isinstance(kind, _StorageType) or not isinstance(key, str) or not isinstance(count, int):
            raise pickle.UnpicklingError(
                f"it refers to a storage of an unknown kind: {reprlib.repr(reference)}"
            )
        if key not in self._storages:
            self._storages[key] = self._read_storage(kind.dtype, key, count)
        return self._storages[key]

    def _read_storage(self, dtype: torch.dtype, key: str, count: int) -> torch.Tensor:
        entry = self._archive.getinfo(f"{self._folder}data/{key}")
        size = count * dtype.itemsize
        if entry.file_size != size:
            raise pickle.UnpicklingError(f"storage {key} should have {size} bytes, and has {entry.file_size}")
        if not size:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(bytearray(_content(self._archive, entry)), dtype=dtype)


def _is_setting(module: str, name: str) -> bool:
    return module.split(".")[0] in SETTINGS_MODULES or f"{module}.{name}" in SETTINGS_NAMES


def archive_folder(archive: zipfile.ZipFile) -> str | None:
    """The folder of an archive that holds `data.pkl`, with its slash; None if there is none."""
    for name in archive.namelist():
        if name.endswith("/data.pkl") and name.count("/") == 1:
            return name.removesuffix("data.pkl")
    return None


def is_torchscript(archive: zipfile.ZipFile, folder: str) -> bool:
    """Whether the archive holds a scripted program beside its tensors."""
    return f"{folder}constants.pkl" in archive.namelist()


def archive_fault(archive: zipfile.ZipFile, folder: str) -> str | None:
    """Why an archive must not be read; None if nothing speaks against it.

    PyTorch's own reader looks neither at checksums nor at what compressed entries grow to. The source code
    of TorchScript, which is compressed, is never read and not looked at.

    Args:
        archive: the open archive.
        folder: name of the folder inside the archive, with its slash.

    Returns:
        What goes behind the name of the file.
    """
    entries = [entry for entry in archive.infolist() if not entry.filename.startswith(f"{folder}code/")]
    for entry in entries:
        # PyTorch stores them as they are: something compressed could be far larger than its file.
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            return (
                f"is refused: its entry {entry.filename} is compressed. PyTorch's archives hold everything "
                "uncompressed: save it again with torch.save"
            )
    # Entries may refer to the same bytes: a small file could have terabytes to be read.
    if archive.filename is None or sum(entry.file_size for entry in entries) > _size_of(archive.filename):
        return "is refused: its entries overlap. No program writes such an archive"
    # PyTorch's reader takes no notice of case, and another one of two equal names than Python's.
    if len({entry.filename.lower() for entry in entries}) < len(entries):
        return "is refused: two of its entries have one name. No program writes such an archive"
    for entry in entries:
        if not entry.CRC:  # torch.save can be told to leave the checksums out
            continue
        try:
            with archive.open(entry) as stream:
                while stream.read(READ_BYTES):
                    pass
        except (zipfile.BadZipFile, EOFError):
            return f"is damaged: its entry {entry.filename} is not what was written. Download it again"
    return None


def _size_of(path: str) -> int:
    return Path(path).stat().st_size


def pickles_of(archive: zipfile.ZipFile) -> Iterator[IO[bytes]]:
    """What an archive has to be unpickled, in whichever folder a reader may look for it."""
    for entry in archive.infolist():
        if entry.filename.lower().endswith("data.pkl"):
            yield io.BytesIO(_content(archive, entry))


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    entry = copy.copy(entry)
    if not entry.CRC:  # torch.save can be told to leave the checksums out: there is none to compare with
        del entry.CRC
    return archive.read(entry)


def read_archive(path: Path) -> tuple[Any, set[str]]:
    """What a PyTorch archive holds, and the names of the classes that stand-ins took the place of.

    Args:
        path: file of `torch.save` or `torch.jit.save`.

    Raises:
        pickle.UnpicklingError: if the archive wants anything but tensors, containers and settings, or is
            damaged.
    """
    with zipfile.ZipFile(path) as archive:
        folder = archive_folder(archive)
        if folder is None:
            raise pickle.UnpicklingError("it is a zip file, but not one of PyTorch's")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise pickle.UnpicklingError("it was written on a big-endian machine")
        unpickler = ArchiveUnpickler(archive, folder)
        return unpickler.load(), unpickler.left_out


def scripted_tensors(module: ScriptedModule) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a TorchScript module by their dotted names, as its `state_dict` has them."""
    tensors: dict[str, torch.Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", module)]
    seen: set[int] = set()
    while waiting:
        prefix, current = waiting.pop()
        if id(current) in seen or not isinstance(current.state, dict):
            continue
        seen.add(id(current))
        for name, value in current.state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{prefix}{name}"] = value
            elif isinstance(value, ScriptedModule):
                waiting.append((f"{prefix}{name}.", value))
    return tensors


__all__ = ["ScriptedModule", "StandIn", "pickles_of", "read_archive", "scripted_tensors"]
