"""The character decoder of both branches: PARSeq's two streams, whole or one character at a time."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .attention import MultiHeadAttention
from .configuration_clip4str import CLIP4STRConfig

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of a layer, each (B, heads, M, head_dim)."""


class CharacterDecoderLayer(nn.Module):
    """One layer: the queries (positions) and the content (characters) share weights, not states.

    Source: PARSeq, arXiv 2207.06966, fig. 2; pre-norm, with separate norms for the two streams.
    """

    def __init__(self, config: CLIP4STRConfig, hidden_size: int):
        super().__init__()
        heads, dropout = config.decoder_num_attention_heads, config.dropout
        self.self_attn = MultiHeadAttention(config, hidden_size, heads, qkv_bias=True, dropout=dropout)
        self.cross_attn = MultiHeadAttention(config, hidden_size, heads, qkv_bias=True, dropout=dropout)
        self.fc1 = nn.Linear(hidden_size, config.decoder_mlp_ratio * hidden_size)
        self.fc2 = nn.Linear(config.decoder_mlp_ratio * hidden_size, hidden_size)
        self.norm1 = nn.LayerNorm(hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size)
        self.norm_q = nn.LayerNorm(hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)

    def content_keys_values(self, content: torch.Tensor) -> KeysValues:
        """(N, L, D) content -> what queries and content look at."""
        return self.self_attn.keys_values(self.norm_c(content))

    def forward(
        self,
        stream: torch.Tensor,
        normed: torch.Tensor,
        content: KeysValues,
        memory: KeysValues,
        mask: torch.Tensor | None,
        memory_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """Moves one stream through the layer.

        Args:
            stream: (N, L, D) queries or content; N may be a multiple G of the memory's B, rows of an image
                adjacent.
            normed: the stream after its own norm.
            content: keys and values of the content, (N, heads, L, head_dim).
            memory: keys and values of the memory, (B, heads, M, head_dim).
            mask: added to the attention over the content.
            memory_mask: added to the attention over the memory, broadcasts to (B, heads, G * L, M).

        Returns:
            (N, L, D).
        """
        stream = stream + self.dropout(self.self_attn.attend(normed, *content, mask))
        # All rows of an image look at its memory together, so that it need not be repeated.
        grouped = self.norm1(stream).reshape(memory[0].shape[0], -1, stream.shape[-1])
        stream = stream + self.dropout(
            self.cross_attn.attend(grouped, *memory, memory_mask).reshape(stream.shape)
        )
        hidden = self.dropout(nn.functional.gelu(self.fc1(self.norm2(stream))))
        return stream + self.dropout(self.fc2(hidden))


@dataclass
class DecodingState:
    """What a decoder remembers between two characters.

    Args:
        memory: keys and values of the memory for every layer.
        content: keys and values of the characters read so far for every layer.
    """

    memory: list[KeysValues]
    content: list[KeysValues] = field(default_factory=list)

    def __post_init__(self) -> None:
        # They are read at every step, fastest where each head's lie together.
        self.memory = [(keys.contiguous(), values.contiguous()) for keys, values in self.memory]

    @property
    def mask(self) -> torch.Tensor | None:
        """Added to the attention over the content; all that is remembered may be looked at."""
        return None

    def remember(self, layer: int, new: KeysValues) -> KeysValues:
        """Keys and values of all characters of a layer, after those of the next one have come."""
        if layer == len(self.content):
            self.content.append(new)
        else:
            keys, values = self.content[layer]
            self.content[layer] = torch.cat([keys, new[0]], dim=2), torch.cat([values, new[1]], dim=2)
        return self.content[layer]

    def select(self, rows: torch.Tensor) -> None:
        """Keeps these rows of the batch."""
        self.memory = [(keys[rows], values[rows]) for keys, values in self.memory]
        self.content = [(keys[rows], values[rows]) for keys, values in self.content]


@dataclass
class LoopState(DecodingState):
    """The same where no shape may change: room for all characters from the start.

    Args:
        memory: keys and values of the memory for every layer.
        content: keys and values for every layer, (N, heads, steps, head_dim); what is not read yet is 0.
        position: (1,) index of the characters that come next.
    """

    position: torch.Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.long))

    @property
    def mask(self) -> torch.Tensor:
        """(1, 1, 1, steps), -inf where nothing is remembered yet."""
        keys = self.content[0][0]
        ahead = torch.arange(keys.shape[2], device=keys.device) > self.position
        return torch.zeros_like(ahead, dtype=keys.dtype).masked_fill(ahead, -torch.inf)[None, None, None]

    def remember(self, layer: int, new: KeysValues) -> KeysValues:
        """Puts keys and values of the next character into their place."""
        keys, values = self.content[layer]
        here = (torch.arange(keys.shape[2], device=keys.device) == self.position)[:, None]
        self.content[layer] = torch.where(here, new[0], keys), torch.where(here, new[1], values)
        return self.content[layer]


class CharacterDecoder(nn.Module):
    """Reads characters out of a memory of image (and caption) tokens.

    Args:
        config: [`CLIP4STRConfig`].
        hidden_size: width of decoder and memory, D.
    """

    def __init__(self, config: CLIP4STRConfig, hidden_size: int):
        super().__init__()
        self.begin_id = config.begin_id
        self.scale = hidden_size**0.5
        self.text_embed = nn.Embedding(config.pad_id + 1, hidden_size)
        self.pos_queries = nn.Parameter(torch.zeros(1, config.max_label_length + 1, hidden_size))
        self.layers: Any = nn.ModuleList(
            CharacterDecoderLayer(config, hidden_size) for _ in range(config.decoder_num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.head = nn.Linear(hidden_size, config.num_character_classes)
        self.dropout = nn.Dropout(config.dropout)

    def project_memory(self, memory: torch.Tensor) -> list[KeysValues]:
        """(B, M, D) -> keys and values for every layer; computed once, read at every step."""
        return [layer.cross_attn.keys_values(memory) for layer in self.layers]

    def embed(self, tokens: torch.Tensor, start: int = 0) -> torch.Tensor:
        """(N, L) character ids at positions `start`.. -> (N, L, D); [B] at position 0 has no position."""
        embedded = self.scale * self.text_embed(tokens)
        positions = self.pos_queries[:, max(start - 1, 0) : start + tokens.shape[1] - 1]
        if start == 0:
            positions = nn.functional.pad(positions, (0, 0, 1, 0))
        return embedded + positions

    def forward(
        self,
        tokens: torch.Tensor,
        memory: list[KeysValues],
        num_queries: int,
        query_mask: torch.Tensor | None = None,
        content_mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Asks for many positions at once, given some context.

        Args:
            tokens: (N, L) ids of the context, from [B] on; N is a multiple of the memory's batch B.
            memory: from `project_memory`.
            num_queries: Q, positions asked for: characters 1..Q.
            query_mask: what queries may see of the context, additive, broadcasts to (N, 1, Q, L).
            content_mask: the same for the context itself, (N, 1, L, L); read with more than one layer only.
            memory_mask: what queries may see of the memory, additive, broadcasts to (B, 1, N / B * Q, M).

        Returns:
            (N, Q, classes) logits.
        """
        content = self.dropout(self.embed(tokens))
        query = self.dropout(self.pos_queries[:, :num_queries].expand(tokens.shape[0], -1, -1))
        for layer, layer_memory in zip(self.layers, memory, strict=True):
            keys_values = layer.content_keys_values(content)
            query = layer(query, layer.norm_q(query), keys_values, layer_memory, query_mask, memory_mask)
            if layer is not self.layers[-1]:
                content = layer(
                    content, layer.norm_c(content), keys_values, layer_memory, content_mask, memory_mask
                )
        return self.head(self.norm(query))

    def step(self, state: DecodingState, tokens: torch.Tensor, position: int) -> torch.Tensor:
        """Reads the next character.

        Args:
            state: remembers keys and values; changed in place.
            tokens: (N,) ids of the characters at `position` ([B] at 0).
            position: index of these characters.

        Returns:
            (N, classes) logits of the character that follows.
        """
        query = self.pos_queries[:, position : position + 1]
        return self._advance(state, query, self.embed(tokens[:, None], position))

    def step_in_loop(self, state: LoopState, tokens: torch.Tensor) -> torch.Tensor:
        """As `step`, at the position of the state, which is a number of the graph."""
        query = self.pos_queries.index_select(1, state.position)
        positions = nn.functional.pad(self.pos_queries, (0, 0, 1, 0)).index_select(1, state.position)
        return self._advance(state, query, self.scale * self.text_embed(tokens[:, None]) + positions)

    def _advance(self, state: DecodingState, query: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
        """(1, 1, D) query and (N, 1, D) content of a position -> (N, classes)."""
        query = query.expand(content.shape[0], -1, -1)
        for i, (layer, memory) in enumerate(zip(self.layers, state.memory, strict=True)):
            keys_values = state.remember(i, layer.content_keys_values(content))
            query = layer(query, layer.norm_q(query), keys_values, memory, state.mask, None)
            if layer is not self.layers[-1]:
                content = layer(content, layer.norm_c(content), keys_values, memory, state.mask, None)
        return self.head(self.norm(query))[:, 0]
