import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tcm_hf.training.norm_statistics import StatisticsOnce


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("last", [nn.ReLU, nn.Identity])  # torch stops in the middle of a norm that is last
def test_what_is_computed_twice_counts_once(reentrant, momentum, last):
    """Two batches before one backward, as in accumulation; one norm in the checkpoint, one outside it."""
    states = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        inside = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=momentum), last())
        outside = nn.BatchNorm2d(4, momentum=momentum)
        model = nn.ModuleList([inside, outside])
        StatisticsOnce(model)
        loss = torch.zeros(())
        for _ in range(2):
            pixels = torch.randn(2, 3, 5, 7, requires_grad=True)
            features = checkpoint(inside, pixels, use_reentrant=reentrant) if recomputes else inside(pixels)
            loss = loss + outside(features).square().mul(torch.arange(5.0)).sum()
        loss.backward()
        grads = {name: parameter.grad for name, parameter in model.named_parameters()}
        states.append({**model.state_dict(), **{f"grad {name}": grad for name, grad in grads.items()}})
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert states[1]["1.num_batches_tracked"] == states[1]["0.1.num_batches_tracked"] == 2
