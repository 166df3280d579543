"""Models from their ONNX files: `from_pretrained(folder, backend="onnx")`, then called as ever."""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import cached_file

from .onnx_session import ONNX_FILES, Arrays, OnnxSession

TORCH = "torch"
BACKENDS = (TORCH, *ONNX_FILES)

# Of what `from_pretrained` takes, what says where the files are.
_PLACE = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")
# And what an export answers by being what it is: it computes in float32.
_FLOAT32 = (None, "auto", "float32", torch.float32)


class Exportable:
    """What a model is that also runs from its ONNX file; to be put before `PreTrainedModel`.

    Attributes:
        backend: what the model is run by.
        output_class: what it returns.
    """

    backend = TORCH
    output_class: type

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *args: Any,
        backend: str | None = None,
        num_threads: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """As in transformers, and from an export.

        Args:
            pretrained_model_name_or_path: checkpoint folder or Hub id.
            *args: as in transformers.
            backend: "torch"; "onnx" or "onnx-int8" for the file of that name, which onnxruntime runs; None
                for torch, or for the export where that is all there is.
            num_threads: of onnxruntime; None takes as many as torch has now.
            **kwargs: as in transformers.

        Returns:
            The model, or an [`OnnxModel`] that is called like it.

        Raises:
            ImportError: if onnxruntime is wanted and not installed.
            OSError: if there is no checkpoint.
            ValueError: if there is no such backend or export, or the export cannot do what is asked for.
        """
        if backend not in (None, *BACKENDS):
            raise ValueError(f"`backend` must be one of {', '.join(map(repr, BACKENDS))}: got {backend!r}.")
        place = {name: kwargs[name] for name in _PLACE if kwargs.get(name) is not None}
        source = pretrained_model_name_or_path
        if backend in ONNX_FILES:
            found = _find(source, [backend], place)
            if found is None:
                raise ValueError(
                    f"{source} holds no {ONNX_FILES[backend]}: write a folder with it by `tcm-hf export`, "
                    "and load that one."
                )
        else:
            if backend == TORCH and num_threads is not None:
                raise ValueError("`num_threads` is for exports: for torch call `torch.set_num_threads`.")
            try:
                return super().from_pretrained(source, *args, **kwargs)  # type: ignore[misc]
            except OSError:  # no weights, perhaps an export
                found = None if backend == TORCH else _find(source, list(ONNX_FILES), place)
                if found is None:
                    raise
        config = _exported_config(cls, source, place, kwargs)
        return OnnxModel(config, cls, *found, num_threads)

    def on_backend(self, backend: str) -> Any:
        """This model, or the same one run by another backend, loaded from where this one came from.

        Raises:
            ValueError: if there is no such backend, or there are no files for it.
        """
        return self if backend == self.backend else _load_again(self, type(self), backend)


class OnnxModel(PreTrainedModel):
    """A model that onnxruntime runs: called like the model that it was exported from, with tensors.

    It computes in float32 on the CPU, has no parameters and no gradients, and its graph is what it was when
    it was exported. `from_pretrained` of the model's class makes it.

    Args:
        config: the model's.
        model_class: the class that was exported.
        backend: a name of `ONNX_FILES`.
        path: the file.
        num_threads: of onnxruntime; None takes as many as torch has now.
    """

    main_input_name = "pixel_values"
    input_modalities = ["image"]
    _supports_sdpa = True  # as the models; nothing here attends

    def __init__(
        self,
        config: Any,
        model_class: type[Exportable],
        backend: str,
        path: str | Path,
        num_threads: int | None = None,
    ):
        super().__init__(config)
        self.model_class, self.backend = model_class, backend
        self.session = OnnxSession(path, torch.get_num_threads() if num_threads is None else num_threads)
        self.eval()

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Of what goes in: float32, in int8 exports, too."""
        return torch.float32

    def on_backend(self, backend: str) -> Any:
        """See [`Exportable.on_backend`]."""
        return self if backend == self.backend else _load_again(self, self.model_class, backend)

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True, **options: Any) -> Any:
        """Runs the graph.

        Args:
            pixel_values: (B, 3, H, W), as for the model that was exported.
            return_dict: False gives a tuple.
            **options: of the model; the graph has been made for one value of each.

        Returns:
            What the model returns, with the fields that its post-processing reads.

        Raises:
            ValueError: for an option of another value, or a size that the graph cannot take.
        """
        for name, value in options.items():
            is_same = not isinstance(value, torch.Tensor) and value == getattr(self.config, name, False)
            if value is not None and not is_same:
                raise ValueError(
                    f"An export does one thing: `{name}={value!r:.60}` is nothing that it was exported with. "
                    f'Leave it out, export again, or load the model with backend="{TORCH}".'
                )
        given = pixel_values.detach().to("cpu", torch.float32).contiguous().numpy()
        found = self.session.run({self.main_input_name: given})
        outputs = self.model_class.output_class(**{name: _tensors(maps) for name, maps in found.items()})
        return outputs if return_dict else outputs.to_tuple()

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, push_to_hub: bool = False, **kwargs: Any
    ) -> None:
        """Write the configuration and the ONNX file, so that the model's class loads them again.

        Args:
            save_directory: folder to write; made if it does not exist.
            push_to_hub: must be False; `push_to_hub` of the model sends it.
            **kwargs: taken and without effect: there are no weights.

        Raises:
            ValueError: if it is to be sent, too.
        """
        if push_to_hub:
            raise ValueError("`push_to_hub=True` sends no export: call `push_to_hub(repo_id)` of the model.")
        target = Path(save_directory) / ONNX_FILES[self.backend]
        target.parent.mkdir(parents=True, exist_ok=True)
        self.config.save_pretrained(save_directory)
        for file in (self.session.path, _weights_beside(self.session.path)):
            if file.is_file() and file.parent.resolve() != target.parent.resolve():
                shutil.copyfile(file, target.parent / file.name)


def _tensors(arrays: Arrays) -> torch.Tensor | tuple[torch.Tensor, ...]:
    return tuple(map(torch.from_numpy, arrays)) if isinstance(arrays, tuple) else torch.from_numpy(arrays)


def _weights_beside(path: Path) -> Path:
    """Where the weights are that are too large for one ONNX file (2 GB)."""
    return path.with_name(path.name + ".data")


def _find(source: Any, backends: list[str], place: dict[str, Any]) -> tuple[str, str] | None:
    """The first of the backends that there is a file for, and the file; downloaded if need be."""
    for backend in backends:
        silent = place | {"_raise_exceptions_for_missing_entries": False}
        path = cached_file(source, ONNX_FILES[backend], **silent)
        if path is not None:
            cached_file(source, _weights_beside(Path(ONNX_FILES[backend])).as_posix(), **silent)
            return backend, path
    return None


def _exported_config(cls: Any, source: Any, place: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    """The configuration that was saved with the export, which nothing may change.

    Raises:
        ValueError: if an attribute of it, or a dtype, is asked for.
    """
    dtype = kwargs.get("dtype", kwargs.get("torch_dtype"))
    if dtype not in _FLOAT32:
        raise ValueError(
            f'An export computes in float32: got dtype={dtype}. Leave it out, or take backend="{TORCH}".'
        )
    config: Any = kwargs.get("config")
    if not hasattr(config, "to_dict"):
        config = cls.config_class.from_pretrained(config or source, **place)
    config.name_or_path = str(source)
    fixed = [name for name in kwargs if name in config.to_dict() and name not in ("dtype", "torch_dtype")]
    if fixed:
        raise ValueError(
            f"An export cannot be changed: {fixed} came. Change the model, and export it again, or take "
            f'backend="{TORCH}".'
        )
    return config


def _load_again(model: Any, model_class: Any, backend: str) -> Any:
    """The model once more, from the files that it was loaded from."""
    if not model.name_or_path:
        raise ValueError(
            f'backend="{backend}" is loaded from files, and this model came from none: save and export it, '
            f'then load the folder with `from_pretrained(folder, backend="{backend}")`.'
        )
    revision = getattr(model.config, "_commit_hash", None)
    return model_class.from_pretrained(model.name_or_path, backend=backend, revision=revision)


__all__ = ["BACKENDS", "Exportable", "OnnxModel"]
