"""What the configurations of the query-based spotters share: encoder, decoder layers, matching."""

from .configuration_heads import HeadConfig
from .configuration_parts import check_at_least, strict_config


@strict_config
class DeformableHeadConfig(HeadConfig):
    r"""Deformable encoder over a pyramid, queries from its tokens, decoder layers, focal losses.

    Args:
        num_queries: words that an image may have.
        num_characters: T, the longest word that is learned; longer words are cut (100 for CTW1500's lines).
        hidden_size: width of everything behind the backbone; a multiple of 32.
        intermediate_size: width of the feed-forward blocks.
        num_attention_heads: heads of all attentions.
        num_encoder_layers: layers over the feature pyramid.
        num_decoder_layers: layers of a decoder.
        num_feature_levels: levels of the pyramid: strides 8, 16, 32 of the backbone, then halves of the last.
        encoder_sampling_points: places that a head of the encoder looks at on every level.
        decoder_sampling_points: the same for decoders.
        dropout: dropout of attentions and feed-forward blocks.
        auxiliary_losses: losses for every layer of a decoder, not for the last alone.
        focal_alpha: weight of positives in focal losses.
        focal_gamma: how much focal losses leave out what is easy.
    """

    stages = (1, 2, 3)
    # What transformers' Deformable DETR layers read, under their names.
    attribute_map = {
        "d_model": "hidden_size",
        "encoder_attention_heads": "num_attention_heads",
        "encoder_ffn_dim": "intermediate_size",
        "encoder_n_points": "encoder_sampling_points",
        "activation_dropout": "dropout",
    }
    activation_function = "relu"
    disable_custom_kernels = False

    num_queries: int = 100
    num_characters: int = 25
    hidden_size: int = 256
    intermediate_size: int = 1024
    num_attention_heads: int = 8
    num_encoder_layers: int = 6
    num_decoder_layers: int = 6
    num_feature_levels: int = 4
    encoder_sampling_points: int = 4
    decoder_sampling_points: int = 4
    dropout: float | int = 0.1
    auxiliary_losses: bool = True
    focal_alpha: float | int = 0.25
    focal_gamma: float | int = 2.0

    def validate_sizes(self):
        """Widths divide into heads, norm groups and coordinates."""
        check_at_least(self, 1, "num_queries", "num_characters", "num_decoder_layers", "hidden_size")
        check_at_least(self, 1, "intermediate_size", "num_attention_heads")
        check_at_least(self, 1, "encoder_sampling_points", "decoder_sampling_points")
        check_at_least(self, 0, "num_encoder_layers", "focal_alpha", "focal_gamma")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"`dropout` must be between 0 and 1: got {self.dropout!r}.")
        if self.hidden_size % 32 or self.hidden_size % self.num_attention_heads:
            raise ValueError(
                "`hidden_size` must be a multiple of 32 and of `num_attention_heads` "
                f"{self.num_attention_heads}: got {self.hidden_size}."
            )
        if self.num_feature_levels < 3:
            raise ValueError(
                f"`num_feature_levels` must be 3 or more, one a stage of stride 8 to 32: got "
                f"{self.num_feature_levels}."
            )


__all__ = ["DeformableHeadConfig"]
