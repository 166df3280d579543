"""ABCNet: a dense head finds words as Bezier curves, a recogniser reads what lies between the curves."""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torchvision.ops import box_convert
from transformers import initialization as init

from .abcnet_dense import DenseWordHead, DenseWords
from .abcnet_losses import dense_losses, moved_curves
from .abcnet_proposals import FoundCurves, find_curves
from .attention_recognizer import AttentionRecognizer
from .bezier_align import BezierAlign
from .configuration_tcm_spotting import TCMSpottingConfig
from .ctc_recognizer import CTCRecognizer
from .feature_pyramid import FPN
from .outputs_tcm import TCMModelOutput
from .spotting_head import FINEST_STRIDE, SpottingHead
from .spotting_losses import Labels

RECOGNIZERS: dict[str, type[AttentionRecognizer] | type[CTCRecognizer]] = {
    "attention": AttentionRecognizer,
    "ctc": CTCRecognizer,
}


class FoundWords(NamedTuple):
    """Q words an image, best first, then padding; places and scores as in `TCMTextSpottingOutput`."""

    score_logits: torch.Tensor
    """(B, Q, 1), minus infinity in the padding."""
    bezier_points: torch.Tensor
    """(B, Q, 8, 2)."""
    reading_logits: torch.Tensor
    """(B, Q, T, V + 1), of the recogniser."""
    boxes: torch.Tensor
    """(B, Q, 4)."""
    place_index: torch.Tensor
    """(B, Q)."""


class ABCNetPredictions(NamedTuple):
    """What the head says."""

    dense: DenseWords
    """Of every place of the pyramid."""
    words: FoundWords | None
    """What was found and read; None in training with labels, where nobody asks."""
    reading_logits: torch.Tensor | None
    """(n, T, V + 1), what is read between the true curves of all images, with labels: for the loss."""
    sizes_xy: torch.Tensor
    """(B, 2), width and height of the images in pixels, without padding."""


class ABCNetHead(SpottingHead):
    """Adaptive Bezier-Curve Network (ABCNet, arXiv 2002.10200).

    Args:
        config: the model's config, its `head_config` an `ABCNetHeadConfig`.
        in_channels: channels of C2 … C5.

    Raises:
        ValueError: with `neck="none"`, if the maps have other channels than `neck_channels`.
    """

    can_compile_fullgraph = False  # how many words there are, what it has found tells

    def __init__(self, config: TCMSpottingConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        head = config.head_config
        channels, num_fine = head.neck_channels, len(in_channels)
        if head.neck == "none" and set(in_channels) != {channels}:
            raise ValueError(
                f"`neck='none'` reads maps of `neck_channels` {channels} each: the backbone gives "
                f"{in_channels}; an image tower 'resnet_fpn' makes such, or take neck='fpn'."
            )
        self.neck = FPN(in_channels, channels, num_fine) if head.neck == "fpn" else None
        # The dense head looks at all levels but the finest.
        self.extra_convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1)
            for _ in range(head.num_levels - num_fine + 1)
        )
        self.dense = DenseWordHead(head)
        self.align = BezierAlign(tuple(head.region_size_hw), head.canonical_height, head.samples_per_bin)
        self.recognizer = RECOGNIZERS[head.recognizer](config)

    def initialize_parameters(self) -> None:
        """Starts the dense head believing in nothing, and what no rule by type of layer knows."""
        for part in (self.extra_convs, self.neck):
            for module in () if part is None else part.modules():
                if isinstance(module, nn.Conv2d):
                    init.xavier_uniform_(module.weight)  # no ReLU follows
        self.dense.initialize_parameters()
        self.recognizer.initialize_parameters()

    def pyramid(self, features: TCMModelOutput) -> list[torch.Tensor]:
        """Levels of stride 4, 8, …, (B, C, h, w) each."""
        dtype = self.dense.score.weight.dtype
        feature_maps: Any = features.feature_maps
        maps = tuple(feature_map.to(dtype) for feature_map in feature_maps)
        levels = list(maps if self.neck is None else self.neck(maps))
        for number, conv in enumerate(self.extra_convs):
            # Parity: a ReLU precedes the second convolution, none the first.
            levels.append(conv(levels[-1].relu() if number else levels[-1]))
        return levels

    def forward(
        self, features: TCMModelOutput, pixel_mask: torch.Tensor | None, labels: Labels | None
    ) -> ABCNetPredictions:
        """Feature maps C2 … C5 -> words; with labels also what is read between the true curves."""
        levels = self.pyramid(features)
        dense = self.dense(levels[1 : self.head_config.num_levels + 1])
        sizes_xy = image_sizes_xy(pixel_mask, levels[0])
        words, reading_logits = None, None
        if labels is not None:
            reading_logits = self._read_true_words(levels, labels, sizes_xy)
        if labels is None or not self.training:
            words = self._read_found_words(levels, dense, sizes_xy)
        return ABCNetPredictions(dense, words, reading_logits, sizes_xy)

    def _read(
        self, levels: list[torch.Tensor], curves: list[torch.Tensor], ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What is said between curves, one (n, 8, 2) in pixels an image."""
        features = self.align(levels[: len(self.align.strides)], curves)
        if not len(features):
            return self._nothing_read(levels)
        return self.recognizer(features.to(self.recognizer.character.weight.dtype), ids).float()

    def _nothing_read(self, levels: list[torch.Tensor]) -> torch.Tensor:
        """(0, T, V + 1), of no word: norms refuse an empty batch.

        All that reads takes part, with nothing: several processes that learn together want a gradient for
        every parameter from each of them.
        """
        parts = (*levels, *self.recognizer.parameters())
        nothing = torch.stack([part[:0].float().sum() for part in parts]).sum()
        return nothing.expand(0, self.recognizer.num_steps, self.recognizer.character.out_features)

    def _read_true_words(
        self, levels: list[torch.Tensor], labels: Labels, sizes_xy: torch.Tensor
    ) -> torch.Tensor:
        jitter = self.head_config.curve_jitter if self.training else 0.0
        curves = [
            moved_curves(label["bezier_points"].float() * size_xy, jitter)
            for label, size_xy in zip(labels, sizes_xy, strict=True)
        ]
        return self._read(levels, curves, torch.cat([label["character_ids"] for label in labels]))

    def _read_found_words(
        self, levels: list[torch.Tensor], dense: DenseWords, sizes_xy: torch.Tensor
    ) -> FoundWords:
        found = find_curves(dense, sizes_xy, self.head_config)
        logits = self._read(levels, [one.bezier_points for one in found])
        return _padded(found, logits, sizes_xy)

    def outputs(self, predictions: ABCNetPredictions) -> dict[str, torch.Tensor]:
        """The words that were found; nothing in training with labels."""
        words = predictions.words
        if words is None:
            return {}
        return {
            "score_logits": words.score_logits,
            "bezier_points": words.bezier_points,
            self.recognizer.output_name: words.reading_logits,
            "proposal_boxes": words.boxes,
            "proposal_index": words.place_index,
        }

    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """Boxes, control points of curves, and characters."""
        count = self.head_config.num_characters
        return {"boxes": (4,), "bezier_points": (8, 2), "character_ids": (count,)}

    def loss(self, predictions: ABCNetPredictions, labels: Labels) -> dict[str, torch.Tensor]:
        """The weighted losses of the dense head, see `abcnet_losses.py`, and of the recogniser."""
        losses = dense_losses(predictions.dense, labels, predictions.sizes_xy, self.head_config)
        logits: Any = predictions.reading_logits  # there are labels
        ids = torch.cat([label["character_ids"] for label in labels])
        return losses | self.recognizer.losses(logits, ids)


def image_sizes_xy(pixel_mask: torch.Tensor | None, finest: torch.Tensor) -> torch.Tensor:
    """(B, 2): width and height of the images in pixels, without padding.

    Args:
        pixel_mask: (B, H, W), nonzero in the image, which begins at the top left; None if all of it is, and
            its sides are multiples of `FINEST_STRIDE`.
        finest: (B, C, H / 4, W / 4), the finest level.
    """
    if pixel_mask is None:
        height, width = finest.shape[-2:]
        size_xy = torch.tensor([width, height], device=finest.device, dtype=torch.float32)
        return (FINEST_STRIDE * size_xy).expand(len(finest), -1)
    inside = pixel_mask != 0
    return torch.stack([inside.any(dim=1).sum(dim=1), inside.any(dim=2).sum(dim=1)], dim=-1).float()


def _padded(found: list[FoundCurves], logits: torch.Tensor, sizes_xy: torch.Tensor) -> FoundWords:
    """Words of all images as one tensor each, places in parts of the images."""
    rows = list(zip(found, sizes_xy, strict=True))
    scores = [one.scores.logit(eps=1e-6)[:, None] for one in found]
    readings = logits.split([len(one.scores) for one in found])
    boxes = [box_convert(one.boxes, "xyxy", "cxcywh") / size_xy.repeat(2) for one, size_xy in rows]
    return FoundWords(
        score_logits=pad_sequence(scores, batch_first=True, padding_value=float("-inf")),
        bezier_points=pad_sequence([one.bezier_points / size_xy for one, size_xy in rows], batch_first=True),
        reading_logits=pad_sequence(list(readings), batch_first=True),
        boxes=pad_sequence(boxes, batch_first=True),
        place_index=pad_sequence([one.place_index for one in found], batch_first=True),
    )


__all__ = ["ABCNetHead", "ABCNetPredictions", "FoundWords"]
