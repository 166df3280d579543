"""Configuration of ABCNet's head, the spotter that reads from features of the image along curves."""

from typing import Literal

from .configuration_heads import HeadConfig
from .configuration_parts import check_at_least, check_multiple, strict_config


@strict_config
class ABCNetHeadConfig(HeadConfig):
    r"""Pyramid, dense head, Bezier-aligned regions, attention recogniser and losses of ABCNet.

    Source: ABCNet, arXiv 2002.10200; its dense head is that of FCOS, arXiv 1904.01355.

    Args:
        neck: `"fpn"`: a feature pyramid over the backbone's maps; `"none"`: they are one already (image tower
            `"resnet_fpn"`), of `neck_channels` channels each.
        neck_channels: channels of the pyramid and of everything behind it.
        num_convs: convolutions of each of the two towers of the dense head.
        norm_groups: groups of the group norms.
        proposal_threshold: a place whose word score, without centredness, is not above it is no word.
        candidates_per_level: the best places of a level that may become words.
        nms_threshold: of two words whose boxes overlap more (IoU), the worse one is dropped.
        max_words: words that an image may have.
        num_characters: T, characters of a word; longer words are cut (100 for CTW1500's lines).
        region_size_hw: rows and columns of a word's features: (8, 32), CTW1500's lines (8, 128).
        samples_per_bin: places per row and column that are averaged for one of these features.
        canonical_height: a word of this height in pixels is read from stride 8, of half of it from stride 4.
        recognizer: `"attention"`: characters one after the other, as published; `"ctc"`: all columns of the
            features at once, in one step.
        recognizer_hidden_size: width of the recogniser `"ctc"`; the other one has `neck_channels`.
        num_region_convs: convolutions over a word's features before the attention recogniser reads them.
        dropout: dropout of the characters that it is fed with.
        curve_jitter: in training the recogniser reads between the true curves moved at random, by this part
            of a word's height (standard deviation).
        center_radius: places that learn a word are at most so many strides from its centre.
        level_sizes: largest distance in pixels to a side of the box that the levels of stride 8, 16, …
            learn, one a level but the last, which learns all larger ones.
        score_loss_weight: weight of the focal loss of the places.
        box_loss_weight: weight of the IoU loss of their boxes.
        centerness_loss_weight: weight of the cross entropy of their centredness.
        bezier_loss_weight: weight of the smooth L1 loss of their control points.
        character_loss_weight: weight of the loss of the characters: cross entropy, or connectionist temporal
            classification.
        alignment_loss_weight: weight of the loss that tells the columns of the recogniser `"ctc"` where
            characters of equal width would be: takes a new one off the plateau of blanks; 0 later on.
        focal_alpha: weight of positives in the focal loss.
        focal_gamma: how much the focal loss leaves out what is easy.
    """

    model_type = "tcm_abcnet_head"

    head_type: Literal["abcnet"] = "abcnet"
    neck: Literal["fpn", "none"] = "fpn"
    neck_channels: int = 256
    num_convs: int = 4
    norm_groups: int = 32
    proposal_threshold: float | int = 0.3
    candidates_per_level: int = 1000
    nms_threshold: float | int = 0.5
    max_words: int = 100
    num_characters: int = 25
    region_size_hw: list[int] | tuple[int, ...] = (8, 32)
    samples_per_bin: int = 1
    canonical_height: float | int = 96
    recognizer: Literal["attention", "ctc"] = "attention"
    recognizer_hidden_size: int = 256
    num_region_convs: int = 2
    dropout: float | int = 0.1
    curve_jitter: float | int = 0.0
    center_radius: float | int = 1.5
    level_sizes: list[float | int] | tuple[float | int, ...] = (64, 128, 256, 512)
    score_loss_weight: float | int = 1.0
    box_loss_weight: float | int = 1.0
    centerness_loss_weight: float | int = 1.0
    bezier_loss_weight: float | int = 1.0
    character_loss_weight: float | int = 1.0
    alignment_loss_weight: float | int = 0.0
    focal_alpha: float | int = 0.25
    focal_gamma: float | int = 2.0

    def __post_init__(self, **kwargs):
        # As config.json gives them back.
        self.region_size_hw, self.level_sizes = list(self.region_size_hw), list(self.level_sizes)
        super().__post_init__(**kwargs)

    @property
    def num_levels(self) -> int:
        """Levels that the dense head looks at, the first of stride 8."""
        return len(self.level_sizes) + 1

    def validate_sizes(self):
        """Norm groups divide the channels; numbers are positive, probabilities between 0 and 1."""
        check_at_least(self, 1, "norm_groups", "num_characters", "samples_per_bin", "max_words")
        check_at_least(self, 1, "candidates_per_level", "canonical_height", "recognizer_hidden_size")
        check_at_least(self, 0, "num_convs", "num_region_convs")
        check_multiple(self, self.norm_groups, "neck_channels")
        if len(self.region_size_hw) != 2 or min(self.region_size_hw) < 1:
            raise ValueError(f"`region_size_hw` must be rows and columns: got {self.region_size_hw}.")
        for name in ("proposal_threshold", "nms_threshold", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be between 0 and 1: got {getattr(self, name)!r}.")

    def validate_columns(self):
        """Where columns are read, a word has one for every character."""
        if self.recognizer == "ctc" and self.num_characters > self.region_size_hw[1]:
            raise ValueError(
                f"`num_characters` {self.num_characters} is more than the {self.region_size_hw[1]} columns "
                "of `region_size_hw`, which recognizer='ctc' reads: give more columns or fewer characters."
            )

    def validate_losses(self):
        """Three to five levels have rising sizes; weights are not negative."""
        sizes = list(self.level_sizes)
        if not 2 <= len(sizes) <= 4 or sizes != sorted(set(sizes)) or sizes[0] <= 0:
            raise ValueError(f"`level_sizes` must be two to four rising numbers of pixels: got {sizes}.")
        check_at_least(self, 0, "center_radius", "score_loss_weight", "box_loss_weight", "focal_alpha")
        check_at_least(self, 0, "centerness_loss_weight", "bezier_loss_weight", "character_loss_weight")
        check_at_least(self, 0, "alignment_loss_weight")


__all__ = ["ABCNetHeadConfig"]
