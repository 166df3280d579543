"""CLIP4STR's decoding as the published program goes about it, written plainly."""

from copy import deepcopy

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import nn
from transformers.activations import ACT2FN
from transformers.models.clip.modeling_clip import CLIPAttention

from tcm_hf import CLIP4STRForTextRecognition
from tcm_hf.modeling.attention import MultiHeadAttention
from tcm_hf.modeling.character_decoder import CharacterDecoder, CharacterDecoderLayer


class PlainReader:
    """Dual predict-and-refine without caches: every step projects the whole memory and embeds all it read.

    Args:
        model: a copy of its weights is used; the towers are transformers' own, the decoders' attention is
            PyTorch's module, as in the published program.
    """

    def __init__(self, model: CLIP4STRForTextRecognition):
        self.model = deepcopy(model)
        _use_plain_towers(self.model)
        self.visual = PlainDecoder(self.model.visual_decoder, model.config.end_id)
        self.cross = PlainDecoder(self.model.cross_decoder, model.config.end_id)
        self.tokenizer = SimpleTokenizer(context_length=model.config.caption_length)

    def __call__(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> (B, 26, classes) logits of the cross branch after one refinement."""
        num_queries = self.model.config.max_label_length + 1
        image = self.model.image_memories(pixel_values)[0]
        visual = self.visual.read(image, num_queries)
        memory = torch.cat([image, self._caption_tokens(visual)], dim=1)
        cross = self.cross.read(memory, visual.shape[1])
        visual = self.visual.read_again(image, visual, num_queries)
        memory = torch.cat([image, self._caption_tokens(visual)], dim=1)
        return self.cross.read_again(memory, cross, num_queries)

    def _caption_tokens(self, logits: torch.Tensor) -> torch.Tensor:
        captions = [self._caption(row) for row in logits.softmax(-1).argmax(-1).tolist()]
        ids = self.tokenizer(captions)
        return self.model.caption_memory(ids, skip_repeated=False)

    def _caption(self, ids: list[int]) -> str:
        characters = []
        for i in ids:
            if i == self.model.config.end_id:
                break
            characters.append(self.model.config.charset[i - 1].lower())
        return "".join(c for c in characters if c in self.model.config.caption_charset)


class PlainDecoder:
    """A character decoder that remembers nothing between two characters."""

    def __init__(self, decoder: CharacterDecoder, end_id: int):
        self.decoder, self.end_id = decoder, end_id
        self.layers = [PlainLayer(layer) for layer in decoder.layers]

    def read(self, memory: torch.Tensor, num_steps: int) -> torch.Tensor:
        """(B, M, D) -> (B, T, classes), one character after the other."""
        decoder = self.decoder
        tokens = torch.full((len(memory), 1), decoder.begin_id)
        logits = []
        for step in range(num_steps):
            query = decoder.pos_queries[:, step : step + 1].expand(len(memory), -1, -1)
            logits.append(self._logits(query, tokens, memory, None, None)[:, 0])
            tokens = torch.cat([tokens, logits[-1].argmax(-1, keepdim=True)], dim=1)
            if bool((tokens == self.end_id).any(dim=1).all()):
                break
        return torch.stack(logits, dim=1)

    def read_again(self, memory: torch.Tensor, logits: torch.Tensor, num_queries: int) -> torch.Tensor:
        """(B, M, D), (B, L, classes) -> (B, num_queries, classes), every character from all others."""
        read = logits[:, :-1].argmax(-1)
        tokens = nn.functional.pad(read, (1, 0), value=self.decoder.begin_id)
        hidden = (tokens == self.end_id).cumsum(-1) > 0
        own = torch.ones(num_queries, tokens.shape[1], dtype=torch.bool).triu(1).tril(1)
        query = self.decoder.pos_queries[:, :num_queries].expand(len(memory), -1, -1)
        return self._logits(query, tokens, memory, own, hidden)

    def _logits(
        self,
        query: torch.Tensor,
        tokens: torch.Tensor,
        memory: torch.Tensor,
        mask: torch.Tensor | None,
        hidden: torch.Tensor | None,
    ) -> torch.Tensor:
        content = self.decoder.embed(tokens)
        for layer in self.layers:
            query = layer(query, content, memory, mask, hidden)
        return self.decoder.head(self.decoder.norm(query))


class PlainLayer:
    """A layer of the decoder (with one layer the content stream stays as it is)."""

    def __init__(self, layer: CharacterDecoderLayer):
        self.layer = layer
        self.self_attn, self.cross_attn = map(_library_attention, (layer.self_attn, layer.cross_attn))

    def __call__(
        self,
        query: torch.Tensor,
        content: torch.Tensor,
        memory: torch.Tensor,
        mask: torch.Tensor | None,
        hidden: torch.Tensor | None,
    ) -> torch.Tensor:
        """(B, Q, D) queries, content and memory -> (B, Q, D)."""
        layer, content = self.layer, self.layer.norm_c(content)
        query = query + self.self_attn(layer.norm_q(query), content, content, hidden, attn_mask=mask)[0]
        query = query + self.cross_attn(layer.norm1(query), memory, memory)[0]
        return query + layer.fc2(nn.functional.gelu(layer.fc1(layer.norm2(query))))


def _library_attention(attention: MultiHeadAttention) -> nn.MultiheadAttention:
    """PyTorch's module with the weights of ours."""
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    size, dtype = attention.q_proj.in_features, attention.q_proj.weight.dtype
    library = nn.MultiheadAttention(size, attention.num_heads, batch_first=True, dtype=dtype).eval()
    library.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
    library.in_proj_bias.copy_(torch.cat([projection.bias for projection in projections]))
    library.out_proj.load_state_dict(attention.out_proj.state_dict())
    return library


def _use_plain_towers(model: CLIP4STRForTextRecognition) -> None:
    for tower in (model.clip.vision_model, model.clip.text_model):
        for layer in tower.encoder.layers:
            layer.mlp.activation_fn = ACT2FN[tower.config.hidden_act]
            attention = CLIPAttention(tower.config).eval()
            attention.load_state_dict(layer.self_attn.state_dict())
            layer.self_attn = attention
