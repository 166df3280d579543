"""Where characters would lie if all were equally wide: a first idea for columns that have none."""

import torch
from torch import nn

from .global_batch import shared_count


def evenly_aligned(character_ids: torch.Tensor, columns: int, blank: int) -> torch.Tensor:
    """Columns of words whose characters are spread evenly, from the word's start to its end.

    The middle half of a character's room is the character's, what is between two of them is blank; every
    character has a column of its own as long as there are enough.

    Args:
        character_ids: (n, T), `blank` for none, which only follows the characters.
        columns: W.
        blank: its id.

    Returns:
        (n, W) ids of the columns.
    """
    lengths = (character_ids != blank).sum(dim=1, keepdim=True)
    places = (torch.arange(columns, device=character_ids.device) + 0.5) / columns * lengths  # (n, W)
    number = places.floor().long().clamp(max=character_ids.shape[1] - 1)
    from_middle = (places - number - 0.5).abs()
    # Half of the room, but never less than one column.
    middle = torch.maximum(torch.full_like(lengths, 0.25, dtype=torch.float32), 0.5 * lengths / columns)
    ids = character_ids.gather(1, number)
    return torch.where(from_middle <= middle, ids, blank)


def even_alignment_loss(logits: torch.Tensor, character_ids: torch.Tensor) -> torch.Tensor:
    """Cross entropy of all columns against `evenly_aligned` characters, a mean over the columns.

    Connectionist temporal classification first learns to say nothing but blanks, and needs long to find out
    where characters are. That they come one after the other at about equal distances is a good first guess.

    Args:
        logits: (n, W, V + 1) of the columns from the word's start, the last class blank.
        character_ids: (n, T), V for none.

    Returns:
        A scalar; 0 without words.
    """
    blank = logits.shape[-1] - 1
    target = evenly_aligned(character_ids, logits.shape[1], blank)
    losses = nn.functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), reduction="sum")
    return losses / shared_count(target.numel(), losses)


__all__ = ["even_alignment_loss", "evenly_aligned"]
