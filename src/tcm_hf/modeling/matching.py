"""Where the modalities meet: bimodal similarity matching (FastTCM), instance-language matching (TCM)."""

import torch
from torch import nn

from .configuration_tcm import TCMConfig
from .global_batch import alone
from .losses import balanced_mean, dice_loss


class BimodalSimilarityMatching(nn.Module):
    """Conditions the offline text embedding on the image: `t^ = cos(I, t) I + t`.

    Source: FastTCM, arXiv 2308.10408, eq. 9. No parameters, no projection.
    """

    def forward(self, text_embedding: torch.Tensor, global_embedding: torch.Tensor) -> torch.Tensor:
        """(B, K, C), (B, C) -> (B, K, C)."""
        image = global_embedding[:, None]
        similarity = nn.functional.cosine_similarity(text_embedding, image, dim=-1)[..., None]  # (B, K, 1)
        return similarity * image + text_embedding


class ProjectedSimilarityMatching(nn.Module):
    """The form the released FastTCM code was meant to have: projected image, both sides normalised.

    `# CODEPATH:` checkpoints with `pix_w`. Upstream starts the projection with ones (every image projects to
    the same vector); we start with the identity, which is the paper's equation on normalised embeddings.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        embed_dim = config.image_tower_config.embed_dim
        self.projection = nn.Linear(embed_dim, embed_dim, bias=False)

    def forward(self, text_embedding: torch.Tensor, global_embedding: torch.Tensor) -> torch.Tensor:
        """(B, K, C), (B, C) -> (B, K, C)."""
        image = nn.functional.normalize(self.projection(global_embedding), dim=-1)[:, None]
        text = nn.functional.normalize(text_embedding, dim=-1)
        similarity = (image * text).sum(dim=-1, keepdim=True)
        return similarity * image + text


def instance_language_matching(dense_embedding: torch.Tensor, text_embedding: torch.Tensor) -> torch.Tensor:
    """Cosine between every image position and every text embedding.

    Source: TCM eq. 7, before temperature and sigmoid. `# Parity:` the released code concatenates this
    undivided cosine to the features and divides by tau for the auxiliary loss only.

    Args:
        dense_embedding: (B, C, h, w).
        text_embedding: (B, K, C).

    Returns:
        (B, K, h, w), in [-1, 1].
    """
    image = nn.functional.normalize(dense_embedding, dim=1)
    text = nn.functional.normalize(text_embedding, dim=2)
    return torch.einsum("bchw,bkc->bkhw", image, text)


class MatchingFusion(nn.Module):
    """Brings the matching map into a feature map of the pyramid, resized to it; here as channels behind it.

    Source: TCM sec. 3.3, the detectors.
    """

    residual_scale = 1e-3
    reads_logits = False
    """Whether the map comes at the temperature of the auxiliary loss, instead of as a plain cosine."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.added_channels = num_classes

    def forward(self, feature_map: torch.Tensor, matching_map: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w), (B, K, h', w') -> (B, C + added_channels, h, w)."""
        return torch.cat([feature_map, self._resized(feature_map, matching_map)], dim=1)

    def fuse_stage(
        self, feature_maps: tuple[torch.Tensor | None, ...], matching_map: torch.Tensor, stage: int
    ) -> tuple[torch.Tensor | None, ...]:
        """The pyramid with the map in one stage; unchanged where the tower does not make that stage."""
        if (feature_map := feature_maps[stage]) is None:
            return feature_maps
        return (*feature_maps[:stage], self(feature_map, matching_map), *feature_maps[stage + 1 :])

    def _resized(self, feature_map: torch.Tensor, matching_map: torch.Tensor) -> torch.Tensor:
        size_hw = feature_map.shape[-2:]
        if matching_map.shape[-2:] != size_hw:
            matching_map = nn.functional.interpolate(
                matching_map, size_hw, mode="bilinear", align_corners=False
            )
        return matching_map.to(feature_map.dtype)


class LogitMatchingFusion(MatchingFusion):
    """Concatenates the matching logits, that is the map divided by tau. The released rotated detectors."""

    reads_logits = True


class AddedMatchingFusion(MatchingFusion):
    """Adds the matching map to every channel; of several classes the best one. The released spotters."""

    def __init__(self, num_classes: int):
        super().__init__(num_classes)
        self.added_channels = 0

    def forward(self, feature_map: torch.Tensor, matching_map: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w), (B, K, h', w') -> (B, C, h, w)."""
        return feature_map + self._resized(feature_map, self._best(matching_map))

    def _best(self, matching_map: torch.Tensor) -> torch.Tensor:
        return matching_map.amax(dim=1, keepdim=True)


class GatedMatchingFusion(AddedMatchingFusion):
    """Adds the matching map times a learned weight: the released spotters with `score_map_concat_gamma`."""

    def __init__(self, num_classes: int):
        super().__init__(num_classes)
        self.gate = nn.Parameter(torch.tensor(self.residual_scale))

    def forward(self, feature_map: torch.Tensor, matching_map: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w), (B, K, h', w') -> (B, C, h, w)."""
        return feature_map + self.gate * self._resized(feature_map, self._best(matching_map))


def matching_loss(
    matching_logits: torch.Tensor,
    target: torch.Tensor,
    mask: torch.Tensor,
    negative_ratio: float,
    balanced: bool = True,
) -> torch.Tensor:
    """Auxiliary loss on the matching map, image by image: balanced cross entropy, or dice.

    Source: TCM eq. 8. `# Parity:` the released code broadcasts (N, 1, H, W) against (N, H, W) masks, so that
    the loss of an image is weighted by the masks of all others and grows N-fold with the batch; here every
    image has its own balance and the batch size changes nothing. For one image both are equal.

    Args:
        matching_logits: (B, K, h, w); upsampled to the size of the target.
        target: (B, H, W), 1 inside text (DBNet: inside its shrunk kernel).
        mask: (B, H, W), 1 where a pixel is supervised.
        negative_ratio: kept negatives per positive in the balanced cross entropy.
        balanced: balanced cross entropy; dice over the batch otherwise.

    Returns:
        A scalar.
    """
    logits = nn.functional.interpolate(
        matching_logits.float(), size=target.shape[-2:], mode="bilinear", align_corners=False
    )
    target, mask = (plane.float()[:, None].expand_as(logits) for plane in (target, mask))
    if not balanced:
        return dice_loss(logits.sigmoid(), target, mask)
    pixel_loss = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    with alone():
        per_image = [
            balanced_mean(pixel_loss[i], target[i], mask[i], negative_ratio) for i in range(logits.shape[0])
        ]
    return torch.stack(per_image).mean()
