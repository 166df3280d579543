"""Two parts of transformers' CLIP that waste time at inference on a CPU, doing the same in less."""

from typing import Any

import torch
from torch import nn
from transformers.activations import QuickGELUActivation
from transformers.models.clip.modeling_clip import CLIPAttention, CLIPModel, CLIPVisionModelWithProjection

from .cpu_inference import is_cpu_inference


class LeanQuickGELU(nn.Module):
    """`x * sigmoid(1.702 x)`, rounded as transformers rounds it; at inference on a CPU it works in place.

    There three temporaries of the batch cost more than the arithmetic: fresh memory has to be cleared page by
    page. One image's share is small enough to be used again and again.
    """

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, ..., D) -> the same shape; `hidden` is overwritten where no gradient can ask for it."""
        if not is_cpu_inference(hidden):
            return hidden * torch.sigmoid(1.702 * hidden)
        for row in hidden:
            row.mul_((1.702 * row).sigmoid_())
        return hidden


class LeanCLIPAttention(CLIPAttention):
    """Self-attention of the image tower that multiplies whole matrices in bfloat16.

    PyTorch's CPU kernel works in tiles, which pays in float32, but takes half as long again in bfloat16.
    """

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As `CLIPAttention`: (B, N, D) -> (B, N, D) and no weights."""
        kernel = self.config._attn_implementation
        is_lean = kernel == "sdpa" and hidden_states.dtype == torch.bfloat16 and attention_mask is None
        if not (is_lean and is_cpu_inference(hidden_states)):
            return super().forward(hidden_states, attention_mask, **kwargs)
        queries, keys, values = (
            project(hidden_states).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        weights = torch.matmul(queries * self.scale, keys.transpose(2, 3)).softmax(dim=-1)
        return self.out_proj(torch.matmul(weights, values).transpose(1, 2).flatten(2)), None


def make_lean(clip: CLIPModel | CLIPVisionModelWithProjection) -> None:
    """Puts the lean parts into a CLIP model that has no weights yet; names of parameters stay."""
    vision: Any = clip.vision_model
    for layer in vision.encoder.layers:
        layer.self_attn = LeanCLIPAttention(vision.config)
    for module in clip.modules():
        if isinstance(getattr(module, "activation_fn", None), QuickGELUActivation):
            module.activation_fn = LeanQuickGELU()
