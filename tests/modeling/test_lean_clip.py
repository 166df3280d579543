import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.activations import QuickGELUActivation

from tcm_hf.modeling.attention import MultiHeadAttention
from tcm_hf.modeling.lean_clip import LeanQuickGELU, make_lean


def towers(dtype: torch.dtype) -> tuple[CLIPVisionModelWithProjection, CLIPVisionModelWithProjection]:
    """transformers' image tower and the lean one, with the same weights."""
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        projection_dim=16,
    )
    torch.manual_seed(0)
    plain = CLIPVisionModelWithProjection._from_config(config).eval()
    lean = CLIPVisionModelWithProjection._from_config(config).eval()
    make_lean(lean)
    lean.load_state_dict(plain.state_dict())
    return plain.to(dtype), lean.to(dtype)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 0), (torch.bfloat16, 0.05)])
def test_the_lean_tower_gives_what_the_tower_of_transformers_gives(dtype, atol):
    plain, lean = towers(dtype)
    pixels = torch.randn(3, 3, 32, 32, dtype=dtype)
    with torch.no_grad():
        expected, found = plain(pixels).last_hidden_state, lean(pixels).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def test_the_lean_tower_trains_like_the_tower_of_transformers():
    plain, lean = towers(torch.float32)
    pixels = torch.randn(2, 3, 32, 32)
    for model in (plain, lean):
        model(pixels).last_hidden_state.square().sum().backward()
    for expected, found in zip(plain.parameters(), lean.parameters(), strict=True):
        assert (expected.grad is None) == (found.grad is None)
        if expected.grad is not None:
            torch.testing.assert_close(found.grad, expected.grad)


@pytest.mark.parametrize("shape", [(2, 5, 7), (1, 3), (0, 5, 7)])
def test_the_activation_overwrites_its_input_only_without_gradients(shape):
    hidden = torch.randn(shape)
    kept, expected = hidden.clone(), QuickGELUActivation()(hidden)
    assert torch.equal(LeanQuickGELU()(hidden), expected)
    assert torch.equal(hidden, kept)
    with torch.no_grad():
        assert torch.equal(LeanQuickGELU()(hidden), expected)
    assert torch.equal(hidden, expected)


def test_one_query_alone_finds_what_it_finds_among_others():
    class Config:
        _attn_implementation = "sdpa"

    torch.manual_seed(0)
    attention = MultiHeadAttention(Config(), 24, 3, qkv_bias=True).eval()
    query, memory = torch.randn(2, 4, 24), torch.randn(2, 9, 24)
    together = attention(query, memory)
    alone = torch.cat([attention(query[:, i : i + 1], memory) for i in range(4)], dim=1)
    torch.testing.assert_close(alone, together)
