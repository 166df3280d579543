"""Multi-head attention over one of transformers' kernels, shared by pooling and prompt decoders."""

from collections.abc import Callable

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plain attention: (B, heads, N, d) in, (B, N, heads, d) and the weights out."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        weights = weights + attention_mask
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class MultiHeadAttention(nn.Module):
    """Attention of a query sequence over a memory sequence.

    Args:
        config: the model's config, read for its attention kernel only.
        hidden_size: width of queries and memory.
        num_heads: heads; must divide `hidden_size`.
        output_size: width of the result; `hidden_size` if None.
        qkv_bias: biases of the three input projections (CLIP's pooling has them, the prompt decoders do not).
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        hidden_size: int,
        num_heads: int,
        output_size: int | None = None,
        qkv_bias: bool = False,
    ):
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(
                f"`num_attention_heads` must divide the width: got {num_heads} heads for {hidden_size}."
            )
        self.config = config
        self.num_heads = num_heads
        self.head_dim = hidden_size // num_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = False
        self.q_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.k_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.out_proj = nn.Linear(hidden_size, output_size or hidden_size)

    def _heads(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, N, hidden_size), (B, M, hidden_size) -> (B, N, output_size)."""
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        hidden, _ = attend(
            self,
            self._heads(self.q_proj(query)),
            self._heads(self.k_proj(memory)),
            self._heads(self.v_proj(memory)),
            None,
            scaling=self.scaling,
            dropout=0.0,
        )
        return self.out_proj(hidden.flatten(2))
