"""Adapters: small parts that teach a frozen CLIP image tower to read, instead of training all of it.

Source: CLIP4STR, arXiv 2305.14014, the section on parameter-efficient adaptation; CLIP-Adapter, arXiv
2110.04544; ladder side tuning, arXiv 2206.06522.
"""

from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig
from transformers.activations import ACT2FN
from transformers.models.clip.modeling_clip import CLIPEncoderLayer, CLIPModel, CLIPVisionModelWithProjection

from .configuration_clip4str import (
    AttentionAdapterConfig,
    CLIP4STRConfig,
    LadderAdapterConfig,
    LinearAdapterConfig,
)


class BottleneckMix(nn.Module):
    """Two linear layers through a narrow middle, mixed with what came in.

    Args:
        hidden_size: width of the tokens.
        reduction: how many times narrower the middle is.
        ratio: share of the new in the mixture.
    """

    def __init__(self, hidden_size: int, reduction: int, ratio: float):
        super().__init__()
        self.down = nn.Linear(hidden_size, hidden_size // reduction, bias=False)
        self.up = nn.Linear(hidden_size // reduction, hidden_size, bias=False)
        self.ratio = ratio

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        return torch.lerp(tokens, self.up(self.down(tokens).relu()).relu(), self.ratio)


class LinearAdapter(nn.Module):
    """CLIP-Adapter on the projected image tokens."""

    layers: tuple[int, ...] = ()

    def __init__(self, config: CLIP4STRConfig, settings: LinearAdapterConfig):
        super().__init__()
        self.bottleneck = BottleneckMix(config.clip_config.projection_dim, settings.reduction, settings.ratio)

    def forward(self, tokens: torch.Tensor, layer_inputs: list[torch.Tensor]) -> torch.Tensor:
        """(B, N, C) projected tokens -> (B, N, C)."""
        return self.bottleneck(tokens)


class AttentionAdapter(nn.Module):
    """A transformer layer on the projected image tokens, mixed with what came in."""

    layers: tuple[int, ...] = ()

    def __init__(self, config: CLIP4STRConfig, settings: AttentionAdapterConfig):
        super().__init__()
        vision, width = config.clip_config.vision_config, config.clip_config.projection_dim
        block_config = CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_attention_heads=config.decoder_num_attention_heads,
            hidden_act=vision.hidden_act,
        )
        block_config._attn_implementation = config._attn_implementation
        self.block = CLIPEncoderLayer(block_config)
        self.ratio = settings.ratio

    def forward(self, tokens: torch.Tensor, layer_inputs: list[torch.Tensor]) -> torch.Tensor:
        """(B, N, C) projected tokens -> (B, N, C)."""
        return torch.lerp(tokens, hidden_state(self.block(tokens, None)), self.ratio)


class NarrowEncoderLayer(nn.Module):
    """A CLIP encoder layer whose attention and feed-forward block are several times narrower inside."""

    def __init__(self, config: CLIPVisionConfig, reduction: int):
        super().__init__()
        width, self.num_heads = config.hidden_size, config.num_attention_heads
        inner = width // reduction
        if inner % self.num_heads:
            raise ValueError(
                f"`adapter_config.reduction` must leave every head the same width: {width} / {reduction} is "
                f"no multiple of {self.num_heads} heads."
            )
        self.layer_norm1 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)
        self.layer_norm2 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.activation = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(width, config.intermediate_size // reduction)
        self.fc2 = nn.Linear(config.intermediate_size // reduction, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        normed = self.layer_norm1(tokens)
        query, key, value = (
            projection(normed).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out_proj(attended.transpose(1, 2).flatten(2))
        return tokens + self.fc2(self.activation(self.fc1(self.layer_norm2(tokens))))

    @torch.no_grad()
    def prune(self, layer: CLIPEncoderLayer) -> None:
        """Takes the strongest inner dimensions of a whole layer.

        Args:
            layer: what to prune; strength is the L1 norm of the weights into and out of a dimension.
        """
        # Parity: upstream ranks the rows of query, key and value matrices, and their biases, each by itself,
        # so that a kept query dimension meets another key dimension. Here what belongs together stays so.
        attention = layer.self_attn
        per_head = (self.num_heads, -1)
        pair_strength = attention.q_proj.weight.abs().sum(1) + attention.k_proj.weight.abs().sum(1)
        value_strength = attention.v_proj.weight.abs().sum(1) + attention.out_proj.weight.abs().sum(0)
        kept_in_head = self.q_proj.out_features // self.num_heads
        pair = strongest(pair_strength.unflatten(0, per_head), kept_in_head)
        value = strongest(value_strength.unflatten(0, per_head), kept_in_head)
        inner_strength = layer.mlp.fc1.weight.abs().sum(1) + layer.mlp.fc2.weight.abs().sum(0)
        inner = strongest(inner_strength[None], self.fc1.out_features)
        for mine, whole, rows in (
            (self.q_proj, attention.q_proj, pair),
            (self.k_proj, attention.k_proj, pair),
            (self.v_proj, attention.v_proj, value),
            (self.fc1, layer.mlp.fc1, inner),
        ):
            mine.weight.copy_(whole.weight[rows])
            mine.bias.copy_(whole.bias[rows])
        for mine, whole, columns in (
            (self.out_proj, attention.out_proj, value),
            (self.fc2, layer.mlp.fc2, inner),
        ):
            mine.weight.copy_(whole.weight[:, columns])
            mine.bias.copy_(whole.bias)
        self.layer_norm1.load_state_dict(layer.layer_norm1.state_dict())
        self.layer_norm2.load_state_dict(layer.layer_norm2.state_dict())


def strongest(strength: torch.Tensor, kept: int) -> torch.Tensor:
    """(groups, n) strengths -> flat indices of the `kept` strongest of every group, in their order."""
    chosen = strength.topk(kept, dim=1).indices.sort(dim=1).values
    return (
        chosen + torch.arange(len(strength), device=strength.device)[:, None] * strength.shape[1]
    ).flatten()


def hidden_state(layer_output: torch.Tensor | tuple) -> torch.Tensor:
    """What an encoder layer returns, whether its version of transformers wraps it in a tuple or not."""
    return layer_output[0] if isinstance(layer_output, tuple) else layer_output


class WholeRung(nn.Module):
    """A copy of a layer of the image tower."""

    def __init__(self, vision: CLIPVisionConfig, settings: LadderAdapterConfig):
        super().__init__()
        self.layer = CLIPEncoderLayer(vision)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        return hidden_state(self.layer(tokens, None))

    def start_from(self, layer: CLIPEncoderLayer) -> None:
        """Begins as that layer."""
        self.layer.load_state_dict(layer.state_dict())


class NarrowRung(NarrowEncoderLayer):
    """A pruned copy of a layer of the image tower."""

    def __init__(self, vision: CLIPVisionConfig, settings: LadderAdapterConfig):
        super().__init__(vision, settings.reduction)

    def start_from(self, layer: CLIPEncoderLayer) -> None:
        """Begins as the strongest part of that layer."""
        self.prune(layer)


class LinearRung(BottleneckMix):
    """A bottleneck in the place of a layer."""

    def __init__(self, vision: CLIPVisionConfig, settings: LadderAdapterConfig):
        super().__init__(vision.hidden_size, settings.reduction, settings.ratio)

    def start_from(self, layer: CLIPEncoderLayer) -> None:
        """Nothing of a layer fits into a bottleneck."""


RUNGS = {"whole": WholeRung, "narrow": NarrowRung, "linear": LinearRung}


class LadderAdapter(nn.Module):
    """A side network beside the frozen tower, fed from chosen layers of it; no gradient enters the tower.

    x_0 = f_0(h_0), x_i = f_i(w_i h_i + (1 - w_i) x_(i-1)) with h_i the input of the i-th chosen layer and
    w = sigmoid(alpha / T); what comes out is w_0 of the tower's own tokens and 1 - w_0 of the projected x.
    """

    def __init__(self, config: CLIP4STRConfig, settings: LadderAdapterConfig):
        super().__init__()
        vision = config.clip_config.vision_config
        self.layers, self.temperature = tuple(settings.layers), settings.temperature
        self.alpha = nn.Parameter(torch.zeros(len(self.layers)))
        self.rungs: Any = nn.ModuleList(RUNGS[settings.rung](vision, settings) for _ in self.layers)
        self.post_layernorm = nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps)
        self.projection = nn.Linear(vision.hidden_size, config.clip_config.projection_dim, bias=False)

    def forward(self, tokens: torch.Tensor, layer_inputs: list[torch.Tensor]) -> torch.Tensor:
        """Adapts image tokens.

        Args:
            tokens: (B, N, C) projected tokens of the tower.
            layer_inputs: (B, N, D) what went into each of `layers`.

        Returns:
            (B, N, C).
        """
        gates = torch.sigmoid(self.alpha / self.temperature)
        side = layer_inputs[0]
        for i, (rung, layer_input) in enumerate(zip(self.rungs, layer_inputs, strict=True)):
            side = rung(side if i == 0 else torch.lerp(side, layer_input, gates[i].to(side.dtype)))
        side = self.projection(self.post_layernorm(side))
        return torch.lerp(side, tokens, gates[0].to(side.dtype))

    def start_from(self, clip: CLIPModel | CLIPVisionModelWithProjection) -> None:
        """Begins as a copy of the tower's chosen layers."""
        for rung, index in zip(self.rungs, self.layers, strict=True):
            rung.start_from(clip.vision_model.encoder.layers[index])
        self.post_layernorm.load_state_dict(clip.vision_model.post_layernorm.state_dict())
        self.projection.load_state_dict(clip.visual_projection.state_dict())


ADAPTERS = {"linear": LinearAdapter, "attention": AttentionAdapter, "ladder": LadderAdapter}
"""`adapter_type` -> what is put behind the image tower: called with (tokens, inputs of its `layers`)."""


def build_adapter(config: CLIP4STRConfig) -> nn.Module:
    """The adapter of a config that has one."""
    settings = config.adapter_config
    return ADAPTERS[settings.adapter_type](config, settings)


__all__ = ["AttentionAdapter", "LadderAdapter", "LinearAdapter", "build_adapter"]
