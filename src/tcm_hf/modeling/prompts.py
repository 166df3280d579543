"""The text side: prompts, text tower, language prompt, visual prompt and text refiner."""

import torch
from torch import nn
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.clip.modeling_clip import CLIPEncoder, CLIPTextEmbeddings

from .attention import MultiHeadAttention
from .configuration_tcm import PromptDecoderConfig, TCMConfig


class TextTower(nn.Module):
    """The text half of `CLIPModel`, fed with embeddings instead of ids so that prompts can be learned.

    Names inside are those of `CLIPModel.text_model`, so that its weights load as they are.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        text = config.text_tower_config
        # Outside `CLIPModel` nobody resolves the kernel of this sub-config.
        text._attn_implementation = text._attn_implementation or config._attn_implementation
        self.embeddings = CLIPTextEmbeddings(text)
        self.encoder = CLIPEncoder(text)
        self.final_layer_norm = nn.LayerNorm(text.hidden_size, eps=text.layer_norm_eps)
        self.text_projection = nn.Linear(text.hidden_size, text.projection_dim, bias=False)

    def forward(self, prompt_embeds: torch.Tensor, readout_index: torch.Tensor) -> torch.Tensor:
        """Encodes prompts.

        Args:
            prompt_embeds: (N, L, D) token embeddings without positions.
            readout_index: (N,) index of the token whose output is the embedding (the end token).

        Returns:
            (N, C) embeddings in the joint space, not normalised.
        """
        length = prompt_embeds.shape[1]
        positions = torch.arange(length, device=prompt_embeds.device)[None]
        hidden = self.embeddings(inputs_embeds=prompt_embeds, position_ids=positions)
        blocked = torch.full(
            (length, length), torch.finfo(hidden.dtype).min, dtype=hidden.dtype, device=hidden.device
        )
        causal_mask = blocked.triu(1)[None, None]
        hidden = self.encoder(inputs_embeds=hidden, attention_mask=causal_mask).last_hidden_state
        hidden = self.final_layer_norm(hidden)
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return self.text_projection(hidden[rows, readout_index])


class PromptSequence(nn.Module):
    """Token embeddings of `[SOT][learnable][words][EOT]`, or of learnable prompts alone.

    Source: TCM sec. 3.1. A learnable prompt stands between the start token and the words, so the end token,
    where the text tower is read out, moves right by their number; without words the last position is read.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        self.config = config
        width = config.text_tower_config.hidden_size
        self.contexts = nn.Parameter(torch.zeros(config.num_learnable_prompts, width))
        if config.prompt_token_ids is not None:
            shape = (config.num_classes, max(map(len, config.prompt_token_ids)))
            self.token_ids = nn.Buffer(torch.zeros(shape, dtype=torch.long), persistent=False)
            self.reset_token_ids()

    def reset_token_ids(self) -> None:
        """Fills the token ids from the config: loading leaves buffers that are no weights undefined."""
        padded = [
            ids + [0] * (self.token_ids.shape[1] - len(ids)) for ids in self.config.prompt_token_ids or []
        ]
        init.copy_(self.token_ids, torch.tensor(padded))

    @property
    def readout_index(self) -> torch.Tensor:
        """(K,) position that the text tower is read out at."""
        count = self.contexts.shape[0]
        if self.config.prompt_token_ids is None:
            return torch.full((1,), count - 1, dtype=torch.long, device=self.contexts.device)
        # `<|endoftext|>` has the highest id of CLIP's vocabulary.
        return self.token_ids.argmax(dim=-1) + count

    def forward(self, token_embedding: nn.Embedding) -> torch.Tensor:
        """(K, L, D)."""
        if self.config.prompt_token_ids is None:
            return self.contexts[None]
        words = token_embedding(self.token_ids)
        contexts = self.contexts[None].expand(words.shape[0], -1, -1).to(words.dtype)
        return torch.cat([words[:, :1], contexts, words[:, 1:]], dim=1)


class SettledPromptSequence(nn.Module):
    """What a `PromptSequence` gives, computed once: inference needs no token table."""

    def __init__(self, sequence: PromptSequence, token_embedding: nn.Embedding):
        super().__init__()
        self.prompt_embeds = nn.Buffer(sequence(token_embedding))
        self.readout_index = nn.Buffer(sequence.readout_index)

    def forward(self, token_embedding: nn.Embedding | None) -> torch.Tensor:
        """(K, L, D)."""
        return self.prompt_embeds


class LanguagePromptGenerator(nn.Module):
    """Makes the vector that is added to the tokens of a joint embedding: `LN(σ(LN(x) W1 + b1)) W2 + b2`.

    Source: TCM eq. 3. `# Parity:` the released code adds it to every token, start, end and padding included.
    """

    def __init__(self, embed_dim: int, token_dim: int):
        super().__init__()
        self.norm_in = nn.LayerNorm(embed_dim)
        self.fc1 = nn.Linear(embed_dim, embed_dim)
        self.norm_mid = nn.LayerNorm(embed_dim)
        self.fc2 = nn.Linear(embed_dim, token_dim)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """(…, C) -> (…, D)."""
        hidden = nn.functional.relu(self.fc1(self.norm_in(embedding)))
        return self.fc2(self.norm_mid(hidden))


class TCMPrompt(nn.Module):
    """TCM's prompt: the language prompt is made from the image, so every image has its own text embedding."""

    depends_on_image = True

    def __init__(self, config: TCMConfig):
        super().__init__()
        self.sequence = PromptSequence(config)
        self.language_prompt_generator = LanguagePromptGenerator(
            config.image_tower_config.embed_dim, config.text_tower_config.hidden_size
        )

    def forward(self, global_embedding: torch.Tensor, token_embedding: nn.Embedding) -> torch.Tensor:
        """(B, C) -> prompt embeddings (B, K, L, D)."""
        language_prompt = self.language_prompt_generator(global_embedding)  # (B, D)
        return self.sequence(token_embedding)[None] + language_prompt[:, None, None]


class FastTCMPrompt(nn.Module):
    """FastTCM's prompt: the language prompt is made from a learned meta query, one for all images.

    Source: FastTCM, arXiv 2308.10408, sec. 3.3.
    """

    depends_on_image = False

    def __init__(self, config: TCMConfig):
        super().__init__()
        embed_dim = config.image_tower_config.embed_dim
        self.sequence = PromptSequence(config)
        self.meta_query = nn.Parameter(torch.zeros(embed_dim))
        self.language_prompt_generator = LanguagePromptGenerator(
            embed_dim, config.text_tower_config.hidden_size
        )

    def forward(self, global_embedding: torch.Tensor | None, token_embedding: nn.Embedding) -> torch.Tensor:
        """Prompt embeddings (1, K, L, D); the image is not looked at."""
        language_prompt = self.language_prompt_generator(self.meta_query)  # (D,)
        return (self.sequence(token_embedding) + language_prompt)[None]


class FixedPrompt(nn.Module):
    """Predefined and learnable prompts alone, no language prompt: rows PP and LP of the ablation table."""

    depends_on_image = False

    def __init__(self, config: TCMConfig):
        super().__init__()
        self.sequence = PromptSequence(config)

    def forward(self, global_embedding: torch.Tensor | None, token_embedding: nn.Embedding) -> torch.Tensor:
        """Prompt embeddings (1, K, L, D); the image is not looked at."""
        return self.sequence(token_embedding)[None]


class PromptDecoderLayer(GradientCheckpointingLayer):
    """Pre-norm self-attention, cross-attention and feed-forward block."""

    def __init__(self, config: TCMConfig, decoder: PromptDecoderConfig):
        super().__init__()
        width = decoder.hidden_size
        self.self_attn_norm = nn.LayerNorm(width)
        self.self_attn = MultiHeadAttention(config, width, decoder.num_attention_heads)
        self.cross_attn_norm = nn.LayerNorm(width)
        self.cross_attn = MultiHeadAttention(config, width, decoder.num_attention_heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(decoder.dropout)

    def forward(self, hidden: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, N, D) queries, (B, M, D) memory -> (B, N, D)."""
        normed = self.self_attn_norm(hidden)
        hidden = hidden + self.dropout(self.self_attn(normed, normed))
        hidden = hidden + self.dropout(self.cross_attn(self.cross_attn_norm(hidden), memory))
        feed_forward = self.fc2(self.dropout(nn.functional.gelu(self.fc1(self.mlp_norm(hidden)))))
        return hidden + self.dropout(feed_forward)


class PromptDecoder(nn.Module):
    """Queries of one modality look at the other one; the result is a residual in the joint space.

    As visual prompt generator: queries = dense image embedding, memory = text (TCM eq. 5). As text refiner:
    queries = text, memory = image tokens (DenseCLIP, arXiv 2112.01518, post-model prompting).
    """

    def __init__(self, config: TCMConfig, decoder: PromptDecoderConfig):
        super().__init__()
        embed_dim, width = config.image_tower_config.embed_dim, decoder.hidden_size
        self.memory_norm_in = nn.LayerNorm(embed_dim)
        self.memory_proj = nn.Linear(embed_dim, width)
        self.memory_norm_out = nn.LayerNorm(width)
        self.query_norm = nn.LayerNorm(embed_dim)
        self.query_proj = nn.Linear(embed_dim, width)
        self.layers = nn.ModuleList(
            PromptDecoderLayer(config, decoder) for _ in range(decoder.num_hidden_layers)
        )
        self.output_norm = nn.LayerNorm(width)
        self.output_proj = nn.Linear(width, embed_dim)

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, N, C), (B, M, C) -> (B, N, C)."""
        memory = self.memory_norm_out(self.memory_proj(self.memory_norm_in(memory)))
        hidden = self.query_proj(self.query_norm(query))
        for layer in self.layers:
            hidden = layer(hidden, memory)
        return self.output_proj(self.output_norm(hidden))


class VisualPrompter(nn.Module):
    """The visual prompt, which is added to the image embedding `I`: `gate * Decoder(I, text)`.

    Source: TCM eq. 5. The gate is a learned scalar; the paper has none.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        self.residual_scale = config.visual_prompt_config.residual_scale
        self.generator = PromptDecoder(config, config.visual_prompt_config)
        self.gate = nn.Parameter(torch.tensor(float(self.residual_scale)))

    def forward(self, image_embedding: torch.Tensor, text_embedding: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w), (B, K, C) -> (B, C, h, w)."""
        tokens = image_embedding.flatten(2).transpose(1, 2)
        visual_prompt = self.generator(tokens, text_embedding).transpose(1, 2)
        return self.gate * visual_prompt.unflatten(2, image_embedding.shape[-2:])


class TextRefiner(nn.Module):
    """Refines the text embedding with the image tokens: `t + gate * Decoder(t, image)`, a learned gate."""

    def __init__(self, config: TCMConfig):
        super().__init__()
        self.residual_scale = config.text_refiner_config.residual_scale
        self.decoder = PromptDecoder(config, config.text_refiner_config)
        self.gate = nn.Parameter(
            torch.full((config.image_tower_config.embed_dim,), float(self.residual_scale))
        )

    def forward(self, text_embedding: torch.Tensor, image_tokens: torch.Tensor) -> torch.Tensor:
        """(B, K, C), (B, 1 + h w, C) -> (B, K, C)."""
        return text_embedding + self.gate * self.decoder(text_embedding, image_tokens)
