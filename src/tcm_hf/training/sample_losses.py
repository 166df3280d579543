"""What each sample of a batch has cost, beside the loss of the whole batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

# Fields of the heads' named tuples that hold for all images: where the predictions of a level lie.
_OF_ALL_IMAGES = ("places", "sizes_hw", "strides")
# And one that has a row a word, the words of the images one after the other.
_OF_WORDS = "reading_logits"


class HeadLosses:
    """The loss of a head, image by image, from what it said in the last forward of the batch.

    Nothing of the network runs again, only the head's loss. Losses are balanced within a batch, so the mean
    over its images is near its loss and not equal to it. The auxiliary loss of the matching map is not in it.

    Args:
        head: The head of a model on TCM's backbone.
    """

    def __init__(self, head: Any):
        self.head = head
        self._device_type = next(head.parameters()).device.type
        self._said: Any = None
        head.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, said: Any) -> None:
        self._said = said if module.training else None

    @torch.no_grad()
    def of(self, labels: Any) -> torch.Tensor:
        """(B,) float32, of the batch that the head has seen last; `labels` as the model takes them."""
        said, self._said = self._said, None
        one_an_image = isinstance(labels, list)
        count = len(labels) if one_an_image else len(next(iter(labels.values())))
        losses, first = [], 0
        for index in range(count):
            own: Any = labels[index : index + 1] if one_an_image else _of_image(labels, index, slice(0))
            words = slice(first, first + (len(own[0]["character_ids"]) if one_an_image else 0))
            first = words.stop
            # In full precision, as the model does it.
            with torch.autocast(self._device_type, enabled=False):
                parts = self.head.loss(_of_image(said, index, words), own)
            losses.append(torch.stack([part.float() for part in parts.values()]).sum())
        return torch.stack(losses)


class WordLosses:
    """The cross entropy of the characters of each word, from what the visual decoder has read last.

    Args:
        decoder: The visual decoder of a recognizer.
    """

    def __init__(self, decoder: nn.Module):
        self._logits: torch.Tensor | None = None
        decoder.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, logits: torch.Tensor) -> None:
        self._logits = logits if module.training else None

    @torch.no_grad()
    def of(self, labels: torch.Tensor) -> torch.Tensor | None:
        """(B,) float32, mean over characters and reading orders; None where nothing was read since.

        Args:
            labels: (B, L) character ids, then the end 0, then -100.
        """
        logits, self._logits = self._logits, None
        if logits is None:
            return None
        length = logits.shape[1]
        orders = len(logits) // len(labels)
        # The end is learned in some orders only, so it does not count.
        targets = labels[:, :length].masked_fill(labels[:, :length] <= 0, -100).repeat_interleave(orders, 0)
        losses = F.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")
        characters = (targets > 0).unflatten(0, (-1, orders)).sum((1, 2))
        return losses.unflatten(0, (-1, orders)).sum((1, 2)) / characters.clamp(min=1)


def _of_image(said: Any, index: int, words: slice) -> Any:
    """The part of predictions or labels that is about one image of the batch, as a batch of one."""
    if isinstance(said, torch.Tensor):
        return said[index : index + 1]
    if isinstance(said, dict):
        return {name: _of_image(value, index, words) for name, value in said.items()}
    if hasattr(said, "_fields"):
        fields = {name: value for name, value in said._asdict().items() if name not in _OF_ALL_IMAGES}
        by_word = fields.pop(_OF_WORDS, None)
        own = {name: _of_image(value, index, words) for name, value in fields.items()}
        return said._replace(**own, **({} if by_word is None else {_OF_WORDS: by_word[words]}))
    if isinstance(said, list | tuple):
        return type(said)(_of_image(value, index, words) for value in said)
    return said
