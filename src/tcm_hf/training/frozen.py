"""Parts of a model that are not to learn: no gradients, and batch norms that normalise as in use."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn


class FrozenParts:
    """The parts of a model that stay as they are through a training, bit by bit.

    No gradient is computed for their parameters, so that several processes do not wait for any. `hold` keeps
    them in eval mode, in which batch norms use their running statistics and leave them alone.

    Args:
        model: The parameters in question stop asking for gradients.
        names: Of these parameters. Others may be frozen already (by hand, or by PEFT below its adapters): a
            part is any module none of whose parameters asks for gradients.
    """

    def __init__(self, model: nn.Module, names: Collection[str]):
        for name, parameter in model.named_parameters():
            if name in names:
                parameter.requires_grad_(False)
        self.modules = _outermost(model)

    def hold(self) -> None:
        """Put the parts into eval mode; to be called after the model was put into training mode."""
        for module in self.modules:
            if module.training:
                module.eval()


def _outermost(module: nn.Module) -> list[nn.Module]:
    learns = [parameter.requires_grad for parameter in module.parameters()]
    if learns and not any(learns):
        return [module]
    return [part for child in module.children() for part in _outermost(child)]
