"""Configurations of the detection heads, chosen by `head_type`: neck, head and loss weights of each."""

from typing import ClassVar, Literal

from transformers.configuration_utils import PreTrainedConfig

from .configuration_parts import PartConfig, check_at_least, check_multiple, strict_config


@strict_config
class HeadConfig(PartConfig):
    """What the configurations of all heads have."""

    stages: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    """Indices of the feature maps that the head reads, 0 = C2; towers leave out what nobody reads."""


@strict_config
class DBNetHeadConfig(HeadConfig):
    r"""FPNC neck, probability and threshold branches, and loss weights of DBNet (arXiv 1911.08947).

    Args:
        neck_channels: channels of the lateral convolutions; the neck gives the same number at stride 4.
        step_slope: k of the differentiable step `1 / (1 + exp(-k (P - T)))`, eq. 2.
        probability_loss_weight: alpha.
        threshold_loss_weight: beta.
        balanced_probability_loss: balanced cross entropy on the probability map (the papers); dice otherwise.
        balanced_matching_loss: balanced cross entropy on the matching map (the papers); dice otherwise.
        negative_ratio: hard negatives kept per positive pixel in the balanced cross entropies.
    """

    model_type = "tcm_dbnet_head"
    head_type: Literal["dbnet"] = "dbnet"
    neck_channels: int = 256
    step_slope: float | int = 50.0
    probability_loss_weight: float | int = 5.0
    threshold_loss_weight: float | int = 10.0
    balanced_probability_loss: bool = True
    balanced_matching_loss: bool = True
    negative_ratio: float | int = 3.0

    def validate_values(self):
        """The neck's four levels share its channels, and a branch has a quarter of them."""
        check_multiple(self, 16, "neck_channels")
        check_at_least(
            self, 0, "step_slope", "probability_loss_weight", "threshold_loss_weight", "negative_ratio"
        )


@strict_config
class PANHeadConfig(HeadConfig):
    r"""FPEM and FFM neck, pixel head and loss weights of PAN (arXiv 1908.05900).

    Args:
        neck_channels: channels of the reduced feature maps and of the enhancement modules.
        num_enhancements: cascaded feature pyramid enhancement modules.
        embedding_size: size of the pixel embedding that tells instances apart.
        kernel_loss_weight: alpha.
        embedding_loss_weight: beta, of aggregation and discrimination.
        aggregation_margin: pixels nearer than this to their kernel's mean embedding are not pulled.
        discrimination_margin: kernels farther than this from one another are not pushed.
        max_instances: of more instances in an image so many, drawn at random, enter the embedding losses.
        negative_ratio: hard negatives kept per positive pixel.
    """

    model_type = "tcm_pan_head"
    head_type: Literal["pan"] = "pan"
    neck_channels: int = 128
    num_enhancements: int = 2
    embedding_size: int = 4
    kernel_loss_weight: float | int = 0.5
    embedding_loss_weight: float | int = 0.25
    aggregation_margin: float | int = 0.5
    discrimination_margin: float | int = 3.0
    max_instances: int = 32
    negative_ratio: float | int = 3.0

    def validate_values(self):
        """Sizes and numbers are positive; weights and margins not negative."""
        check_at_least(self, 1, "neck_channels", "num_enhancements", "embedding_size", "max_instances")
        check_at_least(self, 0, "kernel_loss_weight", "embedding_loss_weight", "negative_ratio")
        check_at_least(self, 0, "aggregation_margin", "discrimination_margin")


@strict_config
class FCENetHeadConfig(HeadConfig):
    r"""FPN neck, classification and contour branches, and loss settings of FCENet (arXiv 2104.10442).

    Args:
        neck_channels: channels of the feature pyramid.
        fourier_degree: K; a contour has 2K + 1 complex coefficients.
        num_contour_samples: points of a contour that the regression loss compares.
        balanced_matching_loss: balanced cross entropy on the matching map (the papers); dice otherwise.
        negative_ratio: hard negatives kept per positive cell.
    """

    model_type = "tcm_fcenet_head"
    stages = (1, 2, 3)
    head_type: Literal["fcenet"] = "fcenet"
    neck_channels: int = 256
    fourier_degree: int = 5
    num_contour_samples: int = 50
    balanced_matching_loss: bool = True
    negative_ratio: float | int = 3.0

    def validate_values(self):
        """A contour has a first harmonic and at least the points of a triangle."""
        check_at_least(self, 1, "neck_channels", "fourier_degree")
        check_at_least(self, 3, "num_contour_samples")
        check_at_least(self, 0, "negative_ratio")


@strict_config
class SegNetHeadConfig(HeadConfig):
    r"""FPNC neck and a head whose pixels are compared with the text embedding (released as TextSegHead).

    Args:
        neck_channels: channels of the lateral convolutions; the neck gives the same number at stride 4.
        balanced_probability_loss: balanced cross entropy on the map; dice otherwise.
        balanced_matching_loss: balanced cross entropy on the matching map; dice otherwise.
        negative_ratio: hard negatives kept per positive pixel in the balanced cross entropies.
    """

    model_type = "tcm_segnet_head"
    head_type: Literal["segnet"] = "segnet"
    neck_channels: int = 256
    balanced_probability_loss: bool = True
    balanced_matching_loss: bool = True
    negative_ratio: float | int = 3.0

    def validate_values(self):
        """The neck's four levels share its channels."""
        check_multiple(self, 4, "neck_channels")
        check_at_least(self, 0, "negative_ratio")


HEAD_CONFIGS: dict[str, type[PreTrainedConfig]] = {
    "dbnet": DBNetHeadConfig,
    "pan": PANHeadConfig,
    "fcenet": FCENetHeadConfig,
    "segnet": SegNetHeadConfig,
}

__all__ = ["HEAD_CONFIGS", "DBNetHeadConfig", "FCENetHeadConfig", "PANHeadConfig", "SegNetHeadConfig"]
