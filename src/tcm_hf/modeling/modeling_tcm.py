"""TCM (CVPR 2023) and FastTCM (TPAMI 2024): CLIP turned into a scene text detector."""

from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.backbone_utils import BackboneMixin
from transformers.modeling_utils import PreTrainedModel
from transformers.models.clip.modeling_clip import CLIPTextEmbeddings
from transformers.utils.generic import can_return_tuple

from .configuration_tcm import TCMConfig
from .dbnet import DBNetHead
from .detection_head import DetectionHead
from .fcenet import FCENetHead
from .image_towers import AttentionPool2d, ConvolutionalTower, ImageTower
from .inference_copy import InferenceCopies
from .matching import (
    AddedMatchingFusion,
    BimodalSimilarityMatching,
    GatedMatchingFusion,
    LogitMatchingFusion,
    MatchingFusion,
    ProjectedSimilarityMatching,
    instance_language_matching,
)
from .onnx_model import Exportable
from .outputs_tcm import TCMModelOutput, TCMTextDetectionOutput, backbone_fields
from .pan import PANHead
from .prompts import (
    FastTCMPrompt,
    FixedPrompt,
    PromptSequence,
    SettledPromptSequence,
    TCMPrompt,
    TextRefiner,
    TextTower,
    VisualPrompter,
)
from .resnet_tower import FrozenNorm, ResNetFPNTower, ResNetTower
from .segnet import SegNetHead
from .vit_tower import CLIPViTTower, InterpolatedEmbeddings

IMAGE_TOWERS: dict[str, type[ImageTower]] = {
    "clip_resnet": ConvolutionalTower,
    "timm": ConvolutionalTower,
    "clip_vit": CLIPViTTower,
    "resnet": ResNetTower,
    "resnet_fpn": ResNetFPNTower,
}
MATCHING_FUSIONS: dict[str, type[MatchingFusion]] = {
    "concatenate": MatchingFusion,
    "concatenate_logits": LogitMatchingFusion,
    "add": AddedMatchingFusion,
    "add_gated": GatedMatchingFusion,
}
HEADS: dict[str, type[DetectionHead]] = {
    "dbnet": DBNetHead,
    "fcenet": FCENetHead,
    "pan": PANHead,
    "segnet": SegNetHead,
}


class TCMPreTrainedModel(InferenceCopies, PreTrainedModel):
    """Loading, saving, initialisation and freezing shared by the models of this file."""

    config: TCMConfig
    base_model_prefix = "model"
    main_input_name = "pixel_values"
    input_modalities = ["image"]
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _no_split_modules = [
        "PromptDecoderLayer",
        "CLIPEncoderLayer",
        "AttentionPool2d",
        "InterpolatedEmbeddings",
        *(head.__name__ for head in HEADS.values()),  # their necks add level to level
    ]
    _supports_sdpa = True
    # Without labels: the losses count pixels for hard negatives, so a graph of training has breaks.
    _can_compile_fullgraph = True

    def freeze_text_tower(self) -> None:
        """Applies `config.freeze_text_tower`: no gradients for the text tower."""
        for tower in self._frozen_text_towers():
            tower.requires_grad_(False)

    def train(self, mode: bool = True):
        """Training mode for all but a frozen text tower, which stays in eval mode.

        Loading makes every parameter trainable, those of a backbone inside another model too, and ends with
        `eval()`: a text tower that is trainable as a whole is frozen again here.
        """
        super().train(mode)
        for tower in self._frozen_text_towers():
            tower.eval()
            if all(parameter.requires_grad for parameter in tower.parameters()):
                tower.requires_grad_(False)
        return self

    def _frozen_text_towers(self) -> list[TextTower]:
        if not self.config.freeze_text_tower:
            return []
        return [module for module in self.modules() if isinstance(module, TextTower)]

    def _initialize_weights(self, module: nn.Module, *args, **kwargs) -> None:
        # transformers passes over modules without tensors of their own in models that are not its own, for
        # fear of overwriting what is loaded; a head that starts its layers itself is such a module. All that
        # `_init_weights` calls leaves loaded tensors alone.
        super()._initialize_weights(module)

    def leave_out_training_parts(self) -> None:
        """Keeps the text embedding where it holds for all images, or the tokens of the prompt."""
        backbone: Any = self.base_model
        if backbone.prompt is None:
            return
        if not backbone.prompt.depends_on_image:
            backbone.cache_text_embeddings()
            return
        embeddings, prompt = backbone.text_tower.embeddings, backbone.prompt
        prompt.sequence = SettledPromptSequence(prompt.sequence, embeddings.token_embedding)
        embeddings.token_embedding = None

    def run_small_image(self) -> None:
        """Runs on a grey square."""
        self(torch.zeros(1, 3, 128, 128, dtype=self.input_dtype, device=self.device))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, FrozenNorm):
            for value in (module.weight, module.running_var):
                init.ones_(value)
            for value in (module.bias, module.running_mean):
                init.zeros_(value)
        elif isinstance(module, AttentionPool2d):
            init.normal_(module.position_embedding, std=module.position_embedding.shape[1] ** -0.5)
        elif isinstance(module, InterpolatedEmbeddings):
            init.normal_(module.class_embedding, std=module.embed_dim**-0.5)
            init.normal_(module.position_embedding.weight, std=module.embed_dim**-0.5)
        elif isinstance(module, CLIPTextEmbeddings):
            init.copy_(module.position_ids, torch.arange(module.position_ids.shape[1])[None])
        elif isinstance(module, PromptSequence):
            init.normal_(module.contexts, std=self.config.learnable_prompt_std)
            if self.config.prompt_token_ids is not None:
                module.reset_token_ids()
        elif isinstance(module, FastTCMPrompt):
            init.normal_(module.meta_query)
        elif isinstance(module, (GatedMatchingFusion, VisualPrompter, TextRefiner)):
            init.constant_(module.gate, module.residual_scale)
        elif isinstance(module, ProjectedSimilarityMatching):
            init.eye_(module.projection.weight)
        elif isinstance(module, DetectionHead):
            module.initialize_parameters()
        elif isinstance(module, TCMModel):
            if module.text_embedding is not None:
                init.normal_(module.text_embedding)
            if module.logit_scale is not None:
                init.constant_(
                    module.logit_scale, -torch.log(torch.tensor(self.config.matching_temperature)).item()
                )


class TCMModel(BackboneMixin, TCMPreTrainedModel):
    """The papers' "TCM-CR50" / "FastTCM-CR50" backbone: a feature pyramid that carries the matching map.

    Usable through `AutoBackbone.from_config`; transformers' `AutoBackbone.from_pretrained` takes no local
    folder, `TCMModel.from_pretrained` does. The forward pass reads like figure 2 of TCM and figure 4 of
    FastTCM.

    Args:
        config: [`TCMConfig`].
    """

    has_attentions = False
    # Of a detector whose backbone is loaded: its head, and levels outside `out_features`.
    _keys_to_ignore_on_load_unexpected = [r"^head\.", r"image_tower\.pyramid\."]

    def __init__(self, config: TCMConfig):
        super().__init__(config)
        self.image_tower = IMAGE_TOWERS[config.image_tower_config.tower_type](config)
        self.num_features = list(self.image_tower.channels)
        self.prompt: nn.Module | None = None
        self.text_tower: TextTower | None = None
        self.similarity_matching: nn.Module | None = None
        self.visual_prompter: VisualPrompter | None = None
        self.text_refiner: TextRefiner | None = None
        self.matching_fusion: MatchingFusion | None = None
        self.register_buffer("text_embedding", None)
        self.register_parameter("logit_scale", None)
        if config.method != "baseline":
            self._build_text_side(config)
            self.matching_fusion = MATCHING_FUSIONS[config.matching_fusion](config.num_classes)
            self.num_features[config.matching_stage] += self.matching_fusion.added_channels
        self.post_init()
        self.freeze_text_tower()

    def _build_text_side(self, config: TCMConfig) -> None:
        if config.text_embedding_cached:
            embed_dim = config.image_tower_config.embed_dim
            self.text_embedding = torch.zeros(config.num_classes, embed_dim)
        else:
            self.text_tower = TextTower(config)
            if not config.language_prompt:
                self.prompt = FixedPrompt(config)
            else:
                self.prompt = FastTCMPrompt(config) if config.method == "fasttcm" else TCMPrompt(config)
        if config.method == "fasttcm":
            self.similarity_matching = (
                ProjectedSimilarityMatching(config)
                if config.similarity_projection
                else BimodalSimilarityMatching()
            )
        if config.visual_prompt_config is not None:
            self.visual_prompter = VisualPrompter(config)
        if config.text_refiner_config is not None:
            self.text_refiner = TextRefiner(config)
        if config.learn_temperature:
            self.logit_scale = nn.Parameter(torch.zeros(()))

    @property
    def out_feature_strides(self) -> dict[str, int]:
        """Pixels a cell, for every stage; beside transformers' `out_feature_channels`."""
        return {name: 4 * 2**stage for stage, name in enumerate(self.stage_names)}

    @property
    def strides(self) -> list[int]:
        """Pixels a cell of the feature maps, beside transformers' `channels`."""
        return [self.out_feature_strides[name] for name in self.out_features]

    def check_head_stages(self) -> None:
        """Raises ValueError if `out_features` lacks a feature map that the config's head reads."""
        needed = [self.stage_names[stage] for stage in self.config.head_config.stages]
        if not set(needed) <= set(self.out_features):
            raise ValueError(
                f"head_type={self.config.head_config.head_type!r} reads {needed}: `out_features` is "
                f"{self.out_features}; leave it out or add them."
            )

    def get_input_embeddings(self) -> nn.Module:
        """The image tower's first layer."""
        return next(module for module in self.image_tower.modules() if isinstance(module, nn.Conv2d))

    def encode_text(self, global_embedding: torch.Tensor | None = None) -> torch.Tensor:
        """Text embedding of the class prompts before any fusion with the image.

        Args:
            global_embedding: (B, C); read by TCM's language prompt only.

        Returns:
            (B, K, C) for TCM with a language prompt, otherwise (1, K, C): one embedding for all images.
        """
        if self.text_embedding is not None:
            return self.text_embedding[None]
        token_embedding = self.text_tower.embeddings.token_embedding
        prompts = self.prompt(global_embedding, token_embedding)  # (B or 1, K, L, D)
        readout_index = self.prompt.sequence.readout_index.repeat(prompts.shape[0])
        return self.text_tower(prompts.flatten(0, 1), readout_index).unflatten(0, prompts.shape[:2])

    @torch.no_grad()
    def cache_text_embeddings(self) -> None:
        """Computes the text embedding once and drops prompt and text tower, 65 M parameters for RN50.

        What is saved afterwards holds no text tower, and loading it builds none. There is no way back but the
        original checkpoint.

        Raises:
            ValueError: if the text embedding depends on the image (TCM with a language prompt) or there is
                none.
        """
        if self.text_embedding is not None:
            return
        if self.prompt is None or self.prompt.depends_on_image:
            raise ValueError(
                f"method={self.config.method!r} with language_prompt={self.config.language_prompt} has no "
                "text embedding that holds for all images: caching needs method='fasttcm' or "
                "language_prompt=False."
            )
        text_embedding = self.encode_text()[0].detach().clone()
        self.prompt, self.text_tower = None, None
        self.text_embedding = text_embedding
        self.config.text_embedding_cached = True

    def matching_logits(self, matching_map: torch.Tensor) -> torch.Tensor:
        """The matching map at the auxiliary loss's temperature, (B, K, h, w); a learned scale is in it."""
        if self.logit_scale is not None:
            return matching_map
        return matching_map / self.config.matching_temperature

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        output_hidden_states: bool | None = None,
        output_embeddings: bool | None = None,
        **kwargs,
    ) -> TCMModelOutput:
        """Feature pyramid with the matching map.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB; H and W multiples of the image tower's `size_divisor`.
            output_hidden_states: return the maps of all stages as well (CLIP's vision transformer: of those
                that `out_features` named when the model was built).
            output_embeddings: return the image embedding and the visual prompt as well.
            **kwargs: ignored (what callers of backbones pass along).

        Returns:
            [`TCMModelOutput`].

        Raises:
            ValueError: for another number of dimensions, or a side that is no multiple of `size_divisor`.
        """
        self.image_tower.check_shape(pixel_values.shape)
        feature_maps, global_embedding, dense_embedding = self.image_tower(pixel_values)
        text_embedding = matching_map = image_embedding = visual_prompt = None
        if self.matching_fusion is not None:  # all but the baseline
            text_embedding = self.encode_text(global_embedding).expand(pixel_values.shape[0], -1, -1)
            if self.similarity_matching is not None:
                text_embedding = self.similarity_matching(text_embedding, global_embedding)
            image_embedding = dense_embedding
            if self.visual_prompter is not None:
                visual_prompt = self.visual_prompter(image_embedding, text_embedding)
                dense_embedding = image_embedding + visual_prompt
            if self.text_refiner is not None:
                # Parity: the refiner sees the image tokens before the visual prompt, the global one first.
                image_tokens = torch.cat(
                    [global_embedding[:, None], image_embedding.flatten(2).transpose(1, 2)], dim=1
                )
                text_embedding = self.text_refiner(text_embedding, image_tokens)
            matching_map = instance_language_matching(dense_embedding, text_embedding)
            if self.logit_scale is not None:
                matching_map = matching_map * self.logit_scale.exp()
            is_scaled = self.matching_fusion.reads_logits
            fused_map = self.matching_logits(matching_map) if is_scaled else matching_map
            feature_maps = self.matching_fusion.fuse_stage(
                feature_maps, fused_map, self.config.matching_stage
            )
        if missing := [
            name for name in self.out_features if feature_maps[self.stage_names.index(name)] is None
        ]:
            raise ValueError(
                f"`out_features` must be set before the model is built: this one does not make {missing}."
            )
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        return TCMModelOutput(
            feature_maps=tuple(feature_maps[i] for i in self.out_indices),
            hidden_states=tuple(x for x in feature_maps if x is not None) if output_hidden_states else None,
            matching_map=matching_map,
            global_embedding=global_embedding,
            dense_embedding=dense_embedding,
            text_embedding=text_embedding,
            image_embedding=image_embedding if output_embeddings else None,
            visual_prompt=visual_prompt if output_embeddings else None,
        )


class TCMForTextDetection(Exportable, TCMPreTrainedModel):
    """TCM or FastTCM with a text detection head; `config.head_config` chooses it.

    Args:
        config: [`TCMConfig`].

    Example:
        >>> from tcm_hf import TCMForTextDetection, TCMImageProcessor
        >>> processor = TCMImageProcessor.from_pretrained("…/fasttcm-dbnet")
        >>> model = TCMForTextDetection.from_pretrained("…/fasttcm-dbnet")
        >>> image = processor.load_rgb_image("street.jpg")  # (H, W, 3), upright
        >>> outputs = model(**processor(image, return_tensors="pt"))
        >>> results = processor.post_process_text_detection(outputs, target_sizes=[image.shape[:2]])
    """

    output_class = TCMTextDetectionOutput

    def __init__(self, config: TCMConfig):
        super().__init__(config)
        self.model = TCMModel(config)
        self.model.check_head_stages()
        self.head = HEADS[config.head_config.head_type](config, self.model.channels)
        self.post_init()
        self.freeze_text_tower()

    def cache_text_embeddings(self) -> None:
        """See [`TCMModel.cache_text_embeddings`]."""
        self.model.cache_text_embeddings()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: dict[str, torch.Tensor] | None = None,
        output_embeddings: bool | None = None,
        **kwargs,
    ) -> TCMTextDetectionOutput:
        """Finds text.

        Args:
            pixel_values: (B, 3, H, W) normalised RGB; H and W multiples of the image tower's `size_divisor`.
            labels: target maps by name, as the head's `label_shapes` lists them; see
                `tcm_hf.data.targets_dbnet` and its siblings.
            output_embeddings: return image embedding, visual prompt and text embedding as well: what CLIP
                sees.
            **kwargs: passed on to the backbone.

        Returns:
            [`TCMTextDetectionOutput`]; with `labels` it has a loss.

        Raises:
            ValueError: if a side is no multiple of `size_divisor`, or the labels do not fit the image.
        """
        if labels is not None:
            self.head.check_labels(labels, pixel_values.shape)
        backbone = self.model(pixel_values, output_embeddings=output_embeddings, **kwargs)
        maps = self.head(backbone, for_training=self.training or labels is not None)
        loss, loss_dict = None, None
        if labels is not None:
            loss_dict = self._losses(maps, backbone.matching_map, labels)
            loss = torch.stack(list(loss_dict.values())).sum()
        return TCMTextDetectionOutput(
            loss=loss,
            loss_dict=loss_dict,
            **backbone_fields(backbone, output_embeddings),
            **maps._asdict(),
        )

    def _losses(
        self, maps: Any, matching_map: torch.Tensor | None, labels: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        # In full precision: cross entropy on probabilities is refused (CUDA) or coarse (CPU) under autocast.
        with torch.autocast(self.device.type, enabled=False):
            losses = self.head.loss(maps, labels)
            if matching_map is not None and self.config.matching_loss_weight:
                logits = self.model.matching_logits(matching_map.float())
                auxiliary = self.head.matching_loss(logits, labels)
                losses["loss_matching"] = self.config.matching_loss_weight * auxiliary
        return losses


__all__ = ["TCMForTextDetection", "TCMModel", "TCMPreTrainedModel"]
