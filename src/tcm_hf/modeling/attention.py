"""Multi-head attention over one of transformers' kernels, shared by pooling and prompt decoders."""

from collections.abc import Callable

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .cpu_inference import is_cpu_inference


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


def attend_alone(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Attention of one query a row: (B, 1, D) over keys and values (B, heads, M, head_dim) -> (B, 1, D).

    PyTorch's own CPU kernel is made for many queries; one takes it up to ten times as long in bfloat16.
    """
    heads = query.reshape(-1, 1, keys.shape[-1]) * scaling
    weights = torch.bmm(heads, keys.flatten(0, 1).transpose(1, 2)).softmax(dim=-1)
    return torch.bmm(weights, values.flatten(0, 1)).reshape(query.shape)


def attend_by_heads(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Attention of one head after the other: (B, heads, N, d), twice (B, heads, M, d) -> (B, N, heads * d).

    PyTorch's own CPU kernel works in tiles, which pays in float32 but takes a third longer in bfloat16. One
    head's weights stay in the cache; those of all at once would not.
    """
    batch, heads, length, head_dim = query.shape
    attended = query.new_empty(batch, length, heads, head_dim)
    for image in range(batch):
        for head in range(heads):
            weights = (query[image, head] @ keys[image, head].T).mul_(scaling).softmax(dim=-1)
            attended[image, :, head] = weights @ values[image, head]
    return attended.flatten(2)


class MultiHeadAttention(nn.Module):
    """Attention of a query sequence over a memory sequence.

    Args:
        config: the model's config, read for its attention kernel only.
        hidden_size: width of queries and memory.
        num_heads: heads; must divide `hidden_size`.
        output_size: width of the result; `hidden_size` if None.
        qkv_bias: biases of the three input projections (CLIP's pooling has them, the prompt decoders do not).
        dropout: dropout of the attention weights in training.
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        hidden_size: int,
        num_heads: int,
        output_size: int | None = None,
        qkv_bias: bool = False,
        dropout: float = 0.0,
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
        self.dropout = dropout
        self.q_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.k_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.v_proj = nn.Linear(hidden_size, hidden_size, bias=qkv_bias)
        self.out_proj = nn.Linear(hidden_size, output_size or hidden_size)

    def _heads(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def keys_values(self, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, M, hidden_size) -> keys and values, each (B, heads, M, head_dim), for `attend`."""
        return self._heads(self.k_proj(memory)), self._heads(self.v_proj(memory))

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention over projected keys and values.

        Args:
            query: (B, N, hidden_size).
            keys: (B, heads, M, head_dim).
            values: (B, heads, M, head_dim).
            mask: added to the logits, -inf where a query must not look; broadcasts to (B, heads, N, M).

        Returns:
            (B, N, output_size).
        """
        is_lean = mask is None and not self.training and is_cpu_inference(query)
        if is_lean and keys.shape[2] == 1:  # whoever looks at one token sees that token
            return self.out_proj(values.flatten(1)[:, None]).expand(-1, query.shape[1], -1)
        query = self.q_proj(query)
        if is_lean and query.shape[1] == 1:
            return self.out_proj(attend_alone(query, keys, values, self.scaling))
        if is_lean and query.dtype == torch.bfloat16:
            return self.out_proj(attend_by_heads(self._heads(query), keys, values, self.scaling))
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        hidden, _ = attend(
            self,
            self._heads(query),
            keys,
            values,
            mask,
            scaling=self.scaling,
            dropout=self.dropout if self.training else 0.0,
        )
        return self.out_proj(hidden.flatten(2))

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, N, hidden_size), (B, M, hidden_size) -> (B, N, output_size)."""
        return self.attend(query, *self.keys_values(memory))
