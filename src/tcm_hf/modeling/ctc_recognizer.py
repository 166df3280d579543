"""A recogniser that reads all columns of a word's features at once."""

from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm_spotting import TCMSpottingConfig
from .even_alignment import even_alignment_loss
from .global_batch import shared_count
from .spotting_losses import ctc_losses

DILATIONS = (2, 4)
"""Columns between those that a convolution of `DilatedBlock` looks at."""


class DilatedBlock(nn.Module):
    """Adds what a convolution over columns far apart sees; nothing before anything is learned.

    Args:
        channels: of the features.
        dilation: columns between those that it looks at, five of them.
    """

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, (1, 5), padding=(0, 2 * dilation), dilation=(1, dilation), bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, C, 1, w) -> the same shape."""
        return hidden + self.norm(self.conv(hidden.relu()))


class CTCRecognizer(nn.Module):
    """Convolutions that fold the rows of a word's features into one, then look along the word.

    As CRNN (arXiv 1507.05717), without its recurrent layers.

    Args:
        config: the model's config, its `head_config` an `ABCNetHeadConfig`.
    """

    output_name = "ctc_logits"

    def __init__(self, config: TCMSpottingConfig):
        super().__init__()
        head = config.head_config
        width = head.recognizer_hidden_size
        self.head_config = head
        self.num_steps = head.region_size_hw[1]
        self.fold = nn.Sequential(
            _conv_norm_act(head.neck_channels, width, 3, (2, 1)), _conv_norm_act(width, width, 3, (2, 1))
        )
        self.rows = nn.Conv2d(width, width, (-(-head.region_size_hw[0] // 4), 1))
        self.along = nn.Sequential(_conv_norm_act(width, width, (1, 5)), _conv_norm_act(width, width, (1, 5)))
        # A word of three letters has a dozen columns for each: a column must see half the word.
        self.context = nn.Sequential(*(DilatedBlock(width, dilation) for dilation in DILATIONS))
        self.character = nn.Linear(width, len(config.characters) + 1)

    def initialize_parameters(self) -> None:
        """Lets the context begin with nothing."""
        for block in self.context:
            if isinstance(block, DilatedBlock):
                init.zeros_(block.norm.weight)

    def forward(self, features: torch.Tensor, character_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Features of words -> what their columns say.

        Args:
            features: (n, C, h, w).
            character_ids: not read; what columns say does not hang on what was said before.

        Returns:
            (n, w, V + 1), the last class blank.
        """
        hidden = self.rows(self.fold(features))
        hidden = self.context(hidden + self.along(hidden))
        return self.character(hidden.squeeze(2).transpose(1, 2))

    def losses(self, logits: torch.Tensor, character_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The weighted losses of what is read between the true curves, means over words.

        Args:
            logits: (n, w, V + 1) of the words of all images.
            character_ids: (n, T), V for none, which only follows the characters.

        Returns:
            `loss_characters`, and `loss_alignment` where the configuration wants it.
        """
        config = self.head_config
        reading = ctc_losses(logits, character_ids).sum() / shared_count(len(logits), logits)
        losses = {"loss_characters": config.character_loss_weight * reading}
        if config.alignment_loss_weight:
            aligned = even_alignment_loss(logits, character_ids)
            losses["loss_alignment"] = config.alignment_loss_weight * aligned
        return losses


def _conv_norm_act(channels: int, width: int, kernel: Any, stride: Any = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the size stays but for the stride."""
    sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = tuple(side // 2 for side in sides)
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


__all__ = ["CTCRecognizer"]
