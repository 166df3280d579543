"""Batch norms folded into the convolutions before them: the same function with one pass over memory less."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torchvision.ops import FrozenBatchNorm2d


def fold_norms(model: nn.Module, run: Callable[[], object]) -> None:
    """Folds every batch norm that directly follows a convolution into that convolution, in place.

    What follows what is seen while the model runs, whatever trunk it has: a norm is folded if it gets the
    very tensor that a convolution gave, nothing else reads that tensor, and both run once. Results are the
    same up to rounding. A folded convolution gets new tensors; those of the model, which others may share,
    stay as they are.

    Args:
        model: in eval mode; norms in training mode are left alone.
        run: runs the model once; on what does not matter, a small image will do.
    """
    names = {module: name for name, module in model.named_modules()}
    for convolution, norm in _pairs(model, run):
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        _replace(model, names[convolution], fuse_conv_bn_eval(convolution, norm, transposed))
        is_more = isinstance(norm, BatchNormAct2d)
        _replace(model, names[norm], nn.Sequential(norm.drop, norm.act) if is_more else nn.Identity())


class _Reads(TorchFunctionMode):
    """Counts how often tensors are read while it is entered; `counts` by `id`."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[int] = Counter()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(result)):  # no mere look at a shape
            leaves = tree_leaves((args, kwargs))
            self.counts.update({id(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)})
        return result


def _pairs(model: nn.Module, run: Callable[[], object]) -> list[tuple[Any, Any]]:
    """The convolutions and norms that can be one."""
    makers: list[tuple[nn.Module, torch.Tensor]] = []  # holds the tensors, so that no two have one id
    readers: list[tuple[nn.Module, torch.Tensor]] = []
    reads = _Reads()

    def after_convolution(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        makers.append((module, output))
        reads.counts[id(output)] = 0  # of another tensor that was there before

    def before_norm(module: nn.Module, inputs: tuple) -> None:
        readers.append((module, inputs[0]))

    modules = list(model.modules())
    hooks = [m.register_forward_hook(after_convolution) for m in modules if _is_foldable(m)]
    hooks += [m.register_forward_pre_hook(before_norm) for m in modules if _is_fixed_norm(m)]
    try:
        with torch.no_grad(), reads:
            run()
    finally:
        for hook in hooks:
            hook.remove()
    calls = Counter(module for module, _ in (*makers, *readers))
    maker_of = {id(tensor): module for module, tensor in makers if reads.counts[id(tensor)] == 1}
    pairs = [(maker_of[id(tensor)], norm) for norm, tensor in readers if id(tensor) in maker_of]
    return [pair for pair in pairs if all(calls[module] == 1 for module in pair)]


def _is_foldable(module: nn.Module) -> bool:
    # By exact class: subclasses compute their weights or pad in ways of their own.
    return type(module) is nn.Conv2d or (type(module) is nn.ConvTranspose2d and module.groups == 1)


def _is_fixed_norm(module: nn.Module) -> bool:
    is_norm = type(module) in (nn.BatchNorm2d, BatchNormAct2d) or isinstance(module, FrozenBatchNorm2d)
    return is_norm and not module.training and module.running_mean is not None


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own_name = name.rpartition(".")
    setattr(model.get_submodule(parent), own_name, module)
