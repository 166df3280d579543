"""CLIP4STR: CLIP reads words, first from the image, then from the image and its own first reading."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.modeling_utils import PreTrainedModel
from transformers.models.clip.modeling_clip import CLIPModel, CLIPVisionModelWithProjection
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .adapters_clip4str import LadderAdapter, build_adapter
from .caption_tokenizer import CaptionTokenizer
from .character_decoder import CharacterDecoder
from .configuration_clip4str import CLIP4STRConfig
from .convolutional_patches import ConvolutionalPatchEmbeddings
from .dual_reading import CrossReading, VisualReading
from .global_batch import largest
from .inference_copy import InferenceCopies
from .lean_clip import make_lean
from .onnx_model import Exportable
from .permutations import reading_orders
from .recognition_checks import IGNORED, check_images, check_labels, check_lengths
from .recognition_training import PermutedBatch, own_caption_mask


@dataclass
class CLIP4STRTextRecognitionOutput(ModelOutput):
    """What was read.

    Args:
        loss: sum of the weighted losses, with `labels`.
        loss_dict: `loss_visual` and `loss_cross`, weighted, with `labels`.
        logits: (B, T, n + 1) float32 logits of [E] and the characters from the last branch; None in training
            mode with `labels`. T is 26 (`max_label_length` + 1) after refinement, else that of the longest
            word. What a word did not need says [E] with probability 1.
        visual_logits: the same from the visual branch, T may differ.
        caption_ids: (B, caption_length) the caption that the cross branch saw last.
        hidden_states: (B, N, D) of the image tower's embeddings and layers (only with
            `output_hidden_states=True`).
    """

    loss: torch.Tensor | None = None
    loss_dict: dict[str, torch.Tensor] | None = None
    logits: torch.Tensor | None = None
    visual_logits: torch.Tensor | None = None
    caption_ids: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


class CLIP4STRPreTrainedModel(InferenceCopies, PreTrainedModel):
    """Loading, saving, initialisation and freezing."""

    config: CLIP4STRConfig
    base_model_prefix = "model"
    main_input_name = "pixel_values"
    input_modalities = ["image"]
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _no_split_modules = ["CharacterDecoderLayer", "CLIPEncoderLayer"]
    _supports_sdpa = True
    # With use_cross_branch=False the rest of a checkpoint is not wanted.
    _keys_to_ignore_on_load_unexpected = [
        r"^cross_decoder\.",
        r"^caption_tokenizer\.",
        r"^clip\.text_(model|projection)\.",
        r"^clip\.logit_scale$",
    ]

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        """As in transformers; freezes layers again, as loading makes every parameter trainable."""
        loaded = super().from_pretrained(*args, **kwargs)
        (loaded[0] if isinstance(loaded, tuple) else loaded).freeze_layers()
        return loaded

    def freeze_layers(self) -> None:
        """Takes the layers of `text_freeze_layers` and `image_freeze_layers` out of training."""

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, (nn.Linear, nn.Embedding)):
            init.trunc_normal_(module.weight, std=std)
        elif isinstance(module, CharacterDecoder):
            init.trunc_normal_(module.pos_queries, std=std)
        elif isinstance(module, CaptionTokenizer):
            character_bytes, character_kinds = module.character_tables()
            init.copy_(module.character_bytes, character_bytes)
            init.copy_(module.character_kinds, character_kinds)
            for name in ("symbol_ids", "merge_keys", "merge_ranks", "merge_results"):
                init.zeros_(getattr(module, name))
        elif isinstance(module, LadderAdapter):
            init.zeros_(module.alpha)


class CLIP4STRForTextRecognition(Exportable, CLIP4STRPreTrainedModel):
    """Reads the word in an image.

    The visual branch reads it from CLIP's image tokens. The cross branch takes what was read as a caption,
    and reads again from image and caption tokens. Then both read once more, every character from all the
    others.

    Source: CLIP4STR, arXiv 2305.14014, fig. 3 and algorithm 1.

    Args:
        config: [`CLIP4STRConfig`]. With `use_cross_branch=False` there is no text tower and no cross decoder.

    Example:
        >>> from tcm_hf import CLIP4STRForTextRecognition, CLIP4STRProcessor
        >>> processor = CLIP4STRProcessor.from_pretrained("…/clip4str")
        >>> model = CLIP4STRForTextRecognition.from_pretrained("…/clip4str")
        >>> outputs = model(**processor(images=crops, return_tensors="pt"))
        >>> words = [word["text"] for word in processor.post_process_text_recognition(outputs)]
    """

    output_class = CLIP4STRTextRecognitionOutput

    def __init__(self, config: CLIP4STRConfig):
        super().__init__(config)
        clip, vision = config.clip_config, config.clip_config.vision_config
        if config.use_cross_branch:
            self.clip = CLIPModel._from_config(clip)
        else:
            self.clip = CLIPVisionModelWithProjection._from_config(vision)
        make_lean(self.clip)
        if config.patch_embedding_config is not None:
            self.clip.vision_model.embeddings = ConvolutionalPatchEmbeddings(
                config.patch_embedding_config, vision.hidden_size
            )
        visual_size = clip.projection_dim if config.project_visual_memory else vision.hidden_size
        self.visual_decoder = CharacterDecoder(config, visual_size)
        self.adapter: Any = build_adapter(config) if config.adapter_config is not None else None
        self.cross_decoder: Any = None
        self.caption_tokenizer: Any = None
        if config.use_cross_branch:
            self.cross_decoder = CharacterDecoder(config, clip.projection_dim)
            self.caption_tokenizer = CaptionTokenizer(config)
        self.post_init()
        self.freeze_layers()

    def freeze_layers(self) -> None:
        """Applies `text_freeze_layers` and `image_freeze_layers`; see [`CLIP4STRConfig`]."""
        if self.adapter is not None:
            self.clip.requires_grad_(False)
        # Parity: a frozen image side keeps its patch embedding and the norm behind it in training.
        embeddings = self.clip.vision_model.embeddings
        if (num_frozen := self.config.image_freeze_layers) >= 0:
            embeddings.class_embedding.requires_grad_(False)
            embeddings.position_embedding.requires_grad_(False)
            self.clip.vision_model.encoder.layers[:num_frozen].requires_grad_(False)
        if self.config.use_cross_branch and (num_frozen := self.config.text_freeze_layers) >= 0:
            self.clip.logit_scale.requires_grad_(False)
            self.clip.text_model.embeddings.requires_grad_(False)
            self.clip.text_model.encoder.layers[:num_frozen].requires_grad_(False)

    def run_small_image(self) -> None:
        """Runs the image side; there are no batch norms behind it."""
        size_hw = self.config.image_size_hw
        self.image_memories(torch.zeros(1, 3, *size_hw, dtype=self.input_dtype, device=self.device))

    def get_input_embeddings(self) -> nn.Module:
        """The first layer of the image tower."""
        embeddings = self.clip.vision_model.embeddings
        return next(module for module in embeddings.modules() if isinstance(module, nn.Conv2d))

    def set_caption_vocabulary(self, vocab: dict[str, int], merges: list[tuple[str, str]]) -> None:
        """Gives the cross branch the byte pair vocabulary of its text tower; it is saved with the weights.

        Args:
            vocab: token -> id, as in CLIP's vocab.json.
            merges: pairs of tokens, lowest rank first, as in CLIP's merges.txt.

        Raises:
            ValueError: if there is no cross branch, or the vocabulary does not fit the text tower.
        """
        if self.caption_tokenizer is None:
            raise ValueError(
                "There is no cross branch, so no captions: the config has use_cross_branch=False."
            )
        self.caption_tokenizer.set_vocabulary(vocab, merges)
        self.config.num_caption_merges = self.caption_tokenizer.merge_keys.numel()

    @can_return_tuple
    def get_image_features(
        self, pixel_values: torch.Tensor, output_hidden_states: bool | None = None, **kwargs
    ) -> BaseModelOutputWithPooling:
        """Image tokens in CLIP's joint space.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB.
            output_hidden_states: return those of the image tower's layers as well.
            **kwargs: ignored (what callers of models pass along).

        Returns:
            `last_hidden_state` (B, 1 + patches, C), post layer norm and projection on every token, and
            `pooler_output` (B, C), the class token of it. Not normalised.
        """
        tokens, hidden_states = self._image_tokens(pixel_values, output_hidden_states)
        tokens = self.clip.visual_projection(tokens)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=tokens[:, 0], hidden_states=hidden_states
        )

    def _image_tokens(
        self, pixel_values: torch.Tensor, output_hidden_states: bool | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None]:
        """Normed image tokens (B, N, D), and the hidden states of the layers if wanted."""
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        vision = self.clip.vision_model
        outputs = vision(pixel_values, output_hidden_states=output_hidden_states)
        return vision.post_layernorm(outputs.last_hidden_state), outputs.hidden_states

    def _memory_tokens(
        self, pixel_values: torch.Tensor, output_hidden_states: bool | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None]:
        """What the visual decoder sees of images, (B, N, D), and the hidden states if wanted."""
        if self.adapter is not None and self.adapter.layers:
            output_hidden_states = True  # a ladder climbs them
        tokens, hidden_states = self._image_tokens(pixel_values, output_hidden_states)
        if self.config.project_visual_memory:
            tokens = self.clip.visual_projection(tokens)
        if self.adapter is not None:
            tokens = self.adapter(tokens, [(hidden_states or ())[layer] for layer in self.adapter.layers])
        return (tokens[:, :1] if self.config.pooled_memory else tokens), hidden_states

    def _cross_memory(self, visual: torch.Tensor) -> torch.Tensor:
        """What the cross decoder sees of the image, (B, N, C), from what the visual decoder sees."""
        cross = visual.detach() if self.config.image_detach else visual
        return cross if self.config.project_visual_memory else self.clip.visual_projection(cross)

    def get_caption_features(self, caption_ids: torch.Tensor) -> BaseModelOutputWithPooling:
        """Caption tokens in CLIP's joint space.

        Args:
            caption_ids: (B, L) ids as `caption_tokenizer` gives them.

        Returns:
            `last_hidden_state` (B, L, C), those behind the end token too, and `pooler_output` (B, C), the end
            token of it. Not normalised.
        """
        tokens = self._caption_tokens(caption_ids)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=self._end_tokens(tokens, caption_ids)
        )

    def _caption_tokens(self, caption_ids: torch.Tensor) -> torch.Tensor:
        return self.clip.text_projection(self.clip.text_model(caption_ids).last_hidden_state)

    def _end_tokens(self, tokens: torch.Tensor, caption_ids: torch.Tensor) -> torch.Tensor:
        end = (caption_ids == self.config.clip_config.text_config.eos_token_id).int().argmax(-1)
        return tokens[torch.arange(end.shape[0], device=end.device), end]

    def caption_memory(self, caption_ids: torch.Tensor, skip_repeated: bool = True) -> torch.Tensor:
        """What the cross decoder sees of captions: (B, L) ids -> (B, L, C), (B, 1, C) with `pooled_memory`.

        Args:
            caption_ids: ids as `caption_tokenizer` gives them.
            skip_repeated: compute captions that occur several times once.
        """
        if skip_repeated and len(caption_ids) > 1:
            different, index = torch.unique(caption_ids, dim=0, return_inverse=True)
            if len(different) < len(caption_ids):
                return self.caption_memory(different, skip_repeated=False)[index]
        tokens = self._caption_tokens(caption_ids)
        return self._end_tokens(tokens, caption_ids)[:, None] if self.config.pooled_memory else tokens

    def image_memories(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the visual and the cross decoder see of images, (B, N, D) each; None without cross branch."""
        visual, _ = self._memory_tokens(pixel_values)
        return visual, None if self.cross_decoder is None else self._cross_memory(visual)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: torch.Tensor | None = None,
        refine_iterations: int | None = None,
        use_cross_branch: bool | None = None,
        num_steps: int | None = None,
        max_length: int | None = None,
        num_permutations: int | None = None,
        output_hidden_states: bool | None = None,
        **kwargs,
    ) -> CLIP4STRTextRecognitionOutput:
        """Reads words.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB in the size of `config.image_size_hw`.
            labels: (B, L) character ids 1..n, then 0 ([E]), then -100. Gives the permutation language
                modelling loss; in training mode nothing is read then.
            refine_iterations: how often to read again; the config's if None.
            use_cross_branch: False gives the reading of the visual branch; the config's if None.
            num_steps: None reads every word as if it were alone. A number takes that many steps for all
                words, as the original does in a batch whose longest word needs so many.
            max_length: characters of the longest word with an end behind it; the config's `max_label_length`
                if None or smaller. One position more is asked for, so a word that does not end has
                `max_length` + 1 characters.
            num_permutations: reading orders of the loss; the config's if None.
            output_hidden_states: return those of the image tower's layers as well.
            **kwargs: ignored (what callers of models pass along).

        Returns:
            [`CLIP4STRTextRecognitionOutput`].

        Raises:
            ValueError: if the cross branch is asked for and there is none or it has no vocabulary, there is
                no image, labels do not fit, or a number is too small.
        """
        use_cross_branch = self._check_cross_branch(use_cross_branch)
        if refine_iterations is None:
            refine_iterations = self.config.refine_iterations
        check_images(pixel_values)
        check_lengths(refine_iterations, num_steps, max_length)
        visual, hidden_states = self._memory_tokens(pixel_values, output_hidden_states)
        cross = self._cross_memory(visual) if use_cross_branch else None
        loss = loss_dict = None
        if labels is not None:
            loss_dict = self.permutation_losses(visual, cross, labels, num_permutations)
            loss = torch.stack(list(loss_dict.values())).sum()
        logits = visual_logits = caption_ids = None
        if labels is None or not self.training:
            logits, visual_logits, caption_ids = self._read(
                visual, cross, refine_iterations, num_steps, max_length
            )
        return CLIP4STRTextRecognitionOutput(
            loss=loss,
            loss_dict=loss_dict,
            logits=logits,
            visual_logits=visual_logits,
            caption_ids=caption_ids,
            hidden_states=hidden_states,
        )

    def _read(
        self,
        visual: torch.Tensor,
        cross: torch.Tensor | None,
        refine_iterations: int,
        num_steps: int | None,
        max_length: int | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Logits of the last branch, of the visual branch, and the captions; see `forward`."""
        num_queries = self.config.max_label_length + 1
        if max_length is not None:
            num_queries = min(num_queries, max_length + 1)
        if num_steps is not None:
            num_steps = min(num_steps, num_queries)
        reading = VisualReading(self.config, self.visual_decoder, visual, num_queries, num_steps)
        if cross is None:
            for _ in range(refine_iterations):
                reading.refine()
            return reading.logits, reading.logits, None
        cross_reading = CrossReading(
            reading, self.cross_decoder, self.caption_tokenizer, self.caption_memory, cross, num_steps
        )
        for _ in range(refine_iterations):
            reading.refine()
            cross_reading.refine()
        return cross_reading.logits, reading.logits, cross_reading.caption_ids

    def permutation_losses(
        self,
        visual: torch.Tensor,
        cross: torch.Tensor | None,
        labels: torch.Tensor,
        num_permutations: int | None = None,
    ) -> dict[str, torch.Tensor]:
        """Losses of both branches over several reading orders.

        Args:
            visual: (B, N, D) what the visual decoder sees, from `image_memories`.
            cross: (B, N, C) what the cross decoder sees of the image; None leaves its loss out.
            labels: (B, L) character ids, then 0, then -100.
            num_permutations: reading orders; the config's if None.

        Returns:
            `loss_visual` and `loss_cross`, the latter times `cross_loss_weight`.

        Raises:
            ValueError: if labels do not fit.
        """
        check_labels(labels, len(visual), self.config)
        if num_permutations is None:
            num_permutations = self.config.num_permutations
        # What is padding in all rows costs time.
        longest = largest(int((labels != IGNORED).sum(dim=1).max()), labels.device)
        labels = nn.functional.pad(labels, (0, max(longest - labels.shape[1], 0)), value=IGNORED)[:, :longest]
        orders = self._orders(labels.shape[1] - 1, num_permutations)
        batch = PermutedBatch.from_labels(labels, orders, self.config)
        logits = batch.logits(self.visual_decoder, self.visual_decoder.project_memory(visual))
        losses = {"loss_visual": batch.loss(logits)}
        if cross is not None:
            cross_logits = self._permutation_cross_logits(batch, logits.argmax(-1), cross)
            losses["loss_cross"] = self.config.cross_loss_weight * batch.loss(cross_logits)
        return losses

    def _orders(self, num_characters: int, num_permutations: int) -> torch.Tensor:
        config = self.config
        # Evaluation compares losses, so it draws the same orders every time.
        generator = None if self.training else torch.Generator().manual_seed(0)
        return reading_orders(
            num_characters,
            num_permutations,
            config.permutation_forward,
            config.permutation_mirrored,
            generator,
        )

    def _permutation_cross_logits(
        self, batch: PermutedBatch, predicted: torch.Tensor, cross: torch.Tensor
    ) -> torch.Tensor:
        """Cross logits (B, P, L, classes); an order's caption is its own visual reading, (B, P, L)."""
        num_orders, word_length = predicted.shape[1:]
        captions = self.caption_memory(self.caption_tokenizer(predicted.flatten(0, 1)))
        caption_length = captions.shape[1]
        captions = captions.unflatten(0, predicted.shape[:2]).flatten(1, 2)  # (B, P * T, C)
        memory = self.cross_decoder.project_memory(torch.cat([cross, captions], dim=1))
        mask = own_caption_mask(cross.shape[1], num_orders, caption_length, word_length, memory[0][0])
        if not self.config.cross_label_context:
            batch = batch.with_predicted_context(predicted, self.config)
        if self.config.cross_cloze_mask:
            batch = batch.with_cloze()
        return batch.logits(self.cross_decoder, memory, mask)

    def _check_cross_branch(self, wanted: bool | None) -> bool:
        if wanted is None:
            wanted = self.config.use_cross_branch
        if not wanted:
            return False
        if self.caption_tokenizer is None:
            raise ValueError(
                "There is no cross branch to read with: the config has use_cross_branch=False. Load the "
                "weights with use_cross_branch=True if they hold one."
            )
        self.caption_tokenizer.check_ready()
        return True


__all__ = ["CLIP4STRForTextRecognition", "CLIP4STRPreTrainedModel", "CLIP4STRTextRecognitionOutput"]
