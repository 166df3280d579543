"""Batch norms go into the convolutions before them where nothing else sees what is between."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from tcm_hf.modeling.norm_folding import fold_norms

NORMS = (nn.BatchNorm2d, BatchNormAct2d, FrozenBatchNorm2d)


class Chain(nn.Module):
    """A convolution and a norm, and what a subclass does with them."""

    def __init__(self, convolution: nn.Module | None = None, norm: nn.Module | None = None):
        super().__init__()
        self.conv = convolution or nn.Conv2d(3, 4, 3)
        self.norm = norm or nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)).relu()


class ReadsBetween(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return self.norm(x) + x


class WritesBetween(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x += 1
        return self.norm(x)


class LooksAtTheShape(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return self.norm(x).reshape(x.shape[0], x.size(1), -1)


class RunsTwice(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + self.norm(self.conv(x + 1))


class NormFirst(Chain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(x))


def prepared(model: nn.Module) -> nn.Module:
    """The model in eval mode, its norms as if they had been trained."""
    for norm in model.modules():
        if isinstance(norm, NORMS):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return model.eval()


def folded(model: nn.Module, x: torch.Tensor) -> int:
    """Fold; the results must stay. Returns how many norms are left."""
    with torch.no_grad():
        expected = model(x)
        fold_norms(model, lambda: model(x))
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    return sum(isinstance(module, NORMS) for module in model.modules())


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(3, 4, 2, stride=2),
    ],
    ids=["strided", "reflecting", "transposed"],
)
def test_a_norm_behind_a_convolution_is_folded(convolution):
    assert folded(prepared(Chain(convolution)), torch.randn(2, 3, 8, 12)) == 0


@pytest.mark.parametrize("norm", [BatchNormAct2d(4), FrozenBatchNorm2d(4), nn.BatchNorm2d(4, affine=False)])
def test_norms_of_every_kind_are_folded_and_an_activation_inside_stays(norm):
    model = Chain(norm=norm).eval()
    norm.running_mean.normal_()
    assert folded(model, torch.randn(2, 3, 8, 12)) == 0


def test_a_look_at_the_shape_is_no_reading():
    assert folded(prepared(LooksAtTheShape()), torch.randn(2, 3, 8, 12)) == 0


@pytest.mark.parametrize(
    "model",
    [
        ReadsBetween(),
        WritesBetween(),
        RunsTwice(),
        NormFirst(nn.Conv2d(4, 4, 3)),
        Chain(nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2)),
        Chain(norm=nn.BatchNorm2d(4, track_running_stats=False)),
    ],
    ids=["read", "written", "twice", "norm first", "grouped transposed", "no statistics"],
)
def test_other_norms_stay(model):
    assert folded(model.eval(), torch.randn(2, model.conv.in_channels, 8, 12)) == 1


def test_a_norm_in_training_stays():
    model = Chain().eval()
    model.norm.train()
    fold_norms(model, lambda: model(torch.randn(2, 3, 8, 12)))
    assert isinstance(model.norm, nn.BatchNorm2d)


def test_tensors_of_the_convolution_are_left_as_they_are():
    model = prepared(Chain())
    weight = model.conv.weight
    kept = weight.detach().clone()
    folded(model, torch.randn(1, 3, 8, 12))
    assert model.conv.weight is not weight
    assert torch.equal(weight, kept)


def test_no_hook_stays_behind_when_a_run_fails():
    model = Chain().eval()
    with pytest.raises(RuntimeError):
        fold_norms(model, lambda: model(torch.randn(1, 5, 8, 12)))
    assert not model.conv._forward_hooks
    assert not model.norm._forward_pre_hooks
