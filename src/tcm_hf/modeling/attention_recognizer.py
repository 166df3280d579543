"""ABCNet's recogniser: straightened features of a word are read character by character, with attention."""

import torch
from torch import nn
from transformers import initialization as init

from .configuration_abcnet import ABCNetHeadConfig
from .configuration_tcm_spotting import TCMSpottingConfig
from .global_batch import shared_count

START = 0
"""What stands before the first character: the first of the character set, as in the released models."""


class AttentionRecognizer(nn.Module):
    """Convolutions that fold the rows into one, a recurrent layer along the word, and an attention decoder.

    Source: ABCNet, arXiv 2002.10200, sec. 3.3; additive attention as in arXiv 1409.0473, without projections.

    Args:
        config: the model's config, its `head_config` an `ABCNetHeadConfig`.
    """

    output_name = "character_logits"

    def __init__(self, config: TCMSpottingConfig):
        super().__init__()
        head, classes = config.head_config, len(config.characters) + 1
        channels = head.neck_channels
        self.head_config = head
        self.num_steps = head.num_characters
        self.region_convs = nn.Sequential(
            *(part for _ in range(head.num_region_convs) for part in _region_conv(channels))
        )
        self.fold_convs = nn.Sequential(*(part for _ in range(2) for part in _fold_conv(head)))
        self.rnn = nn.LSTM(channels, channels, bidirectional=True, batch_first=True)
        self.rnn_proj = nn.Linear(2 * channels, channels)
        self.character_embedding = nn.Embedding(classes, channels)
        self.dropout = nn.Dropout(head.dropout)
        self.attention_score = nn.Linear(channels, 1)
        self.combine = nn.Linear(2 * channels, channels)
        self.gru = nn.GRUCell(channels, channels)
        self.character = nn.Linear(channels, classes)

    def initialize_parameters(self) -> None:
        """Starts recurrent layers as torch does; transformers has no rule for them."""
        for module in (self.rnn, self.gru):
            bound = module.hidden_size**-0.5
            for parameter in module.parameters():
                init.uniform_(parameter, -bound, bound)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """(n, C, rows, columns) features of words -> (n, columns, C) along them."""
        hidden = self.fold_convs(self.region_convs(features)).mean(dim=2)  # (n, C, columns)
        return self.rnn_proj(self.rnn(hidden.transpose(1, 2))[0])

    def forward(self, features: torch.Tensor, character_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Reads words. None does not end a word: what follows it counts, as in the released models.

        Args:
            features: (n, C, rows, columns), n at least 1.
            character_ids: (n, T), what the words say, which the decoder is fed with in training; None to feed
                it with what it has read.

        Returns:
            (n, T, V + 1) logits.
        """
        memory = self.encode(features)
        state = torch.zeros_like(memory[:, 0])
        last = torch.full((len(memory),), START, device=memory.device)
        steps = []
        for step in range(self.num_steps):
            state = self.next_state(last, state, memory)
            steps.append(self.character(state))
            last = steps[-1].argmax(dim=-1) if character_ids is None else character_ids[:, step]
        return torch.stack(steps, dim=1)

    def next_state(self, last: torch.Tensor, state: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(n,) last characters, (n, C) state, (n, columns, C) memory -> (n, C)."""
        weights = self.attention_score(torch.tanh(state[:, None] + memory)).softmax(dim=1)
        seen = (weights * memory).sum(dim=1)
        character = self.dropout(self.character_embedding(last))
        hidden = self.combine(torch.cat([character, seen], dim=-1)).relu()
        return self.gru(hidden, state)

    def losses(self, logits: torch.Tensor, character_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The weighted loss of what is read between the true curves.

        Args:
            logits: (n, T, V + 1) of the words of all images.
            character_ids: (n, T), V for none.

        Returns:
            `loss_characters`.
        """
        return {"loss_characters": self.head_config.character_loss_weight * slot_loss(logits, character_ids)}


def slot_loss(logits: torch.Tensor, character_ids: torch.Tensor) -> torch.Tensor:
    """Cross entropy of characters in slots: a mean over the slots up to a word's end, and one of the rest.

    What comes behind the end is "none" in every word and soon learned; counted with the others it would leave
    little weight to short words.

    Args:
        logits: (n, T, V + 1), the last class none.
        character_ids: (n, T), V for none.

    Returns:
        A scalar; 0 without words.
    """
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), character_ids.flatten(), reduction="none")
    losses = losses.unflatten(0, character_ids.shape)
    none = character_ids == logits.shape[-1] - 1
    behind = none.roll(1, dims=1) & none
    behind[:, :1] = False
    spoken = (losses * ~behind).sum() / shared_count((~behind).sum(), losses)
    return spoken + (losses * behind).sum() / shared_count(behind.sum(), losses)


def _region_conv(channels: int) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(channels), nn.ReLU()]


def _fold_conv(head: ABCNetHeadConfig) -> list[nn.Module]:
    """Halves the rows."""
    channels = head.neck_channels
    conv = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
    return [conv, nn.GroupNorm(head.norm_groups, channels), nn.ReLU()]


__all__ = ["AttentionRecognizer", "slot_loss"]
