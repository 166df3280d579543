"""A model's copy for inference alone: the same results with what only training needs left out."""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import nn

from .norm_folding import fold_norms


class InferenceCopies:
    """Mixed into a model, before `PreTrainedModel`: makes leaner copies of it.

    Attributes:
        dtype_is_open: whether the model was loaded with `dtype="auto"`, as `pipeline()` does unless told
            otherwise: who runs it may then compute in a faster type than that of the weights.
        compute_dtype: what most of the model computes in.
    """

    dtype_is_open = False
    _compute_dtype: torch.dtype | None = None

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in transformers; notes in `dtype_is_open` whether `dtype="auto"` came."""
        loaded = super().from_pretrained(*args, **kwargs)  # type: ignore[misc]
        (loaded[0] if isinstance(loaded, tuple) else loaded).dtype_is_open = kwargs.get("dtype") == "auto"
        return loaded

    @property
    def compute_dtype(self: Any) -> torch.dtype:
        """See the class."""
        return self._compute_dtype or self.dtype

    @property
    def input_dtype(self: Any) -> torch.dtype:
        """What `pixel_values` come in: that of the first layer."""
        return next(self.get_input_embeddings().parameters()).dtype

    @torch.no_grad()
    def inference_copy(self: Any, dtype: torch.dtype | None = None) -> Any:
        """A copy that gives the same results at inference with less work.

        What no result depends on is left out, batch norms are folded into convolutions, and on a CPU the
        weights lie channels last. All other tensors are those of this model as long as the type is the same.
        The copy is not for training, and what it would save is no checkpoint: save this model.

        Args:
            dtype: what the copy computes in, this model's own type by default. The first layer stays in
                float32, as the pixels need its digits (half of all the error of bfloat16 would come from
                there), and so do the modules that transformers keeps in it.

        Returns:
            The copy, in eval mode, on the device of this model.
        """
        # The structure is copied and the tensors are shared, in parameters of the copy's own: a new type is
        # set in a parameter, not beside it.
        shared: dict[int, Any] = {id(buffer): buffer.detach() for buffer in self.buffers()}
        shared |= {id(value): nn.Parameter(value.detach(), False) for value in self.parameters()}
        copy = deepcopy(self, shared).eval()
        copy.leave_out_training_parts()
        fold_norms(copy, copy.run_small_image)
        if dtype not in (None, self.dtype):
            copy._compute_in(dtype)
        if copy.device.type == "cpu":
            copy.to(memory_format=torch.channels_last)
        return copy

    def leave_out_training_parts(self) -> None:
        """Drops what inference does not need, and computes once what is the same for all images."""

    def run_small_image(self) -> None:
        """Runs every convolution and batch norm once."""
        raise NotImplementedError

    def _compute_in(self: Any, dtype: torch.dtype) -> None:
        first = self.get_input_embeddings()
        kept_names = set(self._keep_in_fp32_modules_strict or ())
        for name, module in self.named_modules():
            if module is not first and kept_names.isdisjoint(name.split(".")):
                module._apply(lambda value: value.to(dtype) if value.is_floating_point() else value, False)
        first.register_forward_hook(partial(_in_dtype, dtype))
        self._compute_dtype = dtype


def _in_dtype(dtype: torch.dtype, module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
    """The forward hook of a layer that stays in float32. Of the module, so that it can be pickled."""
    return output.to(dtype)
