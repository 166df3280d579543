"""Permutation language modelling: a batch of labels, read in several orders at once.

Source: PARSeq, arXiv 2207.06966, sec. 3.3; CLIP4STR, arXiv 2305.14014, sec. III-D.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from .character_decoder import CharacterDecoder, KeysValues
from .configuration_clip4str import CLIP4STRConfig
from .global_batch import shared_count
from .permutations import attention_masks
from .recognition_checks import IGNORED
from .recognition_decoding import additive_mask, cloze_mask, with_begin


@dataclass
class PermutedBatch:
    """Labels as context and as targets, and who sees whom. Rows of an image are adjacent, one an order.

    Args:
        tokens: (B, P, L) context, [B] and the characters.
        blocked: (B, P, L) True for context that is no character: [E] and padding.
        targets: (B, P, L) characters and [E] asked for; `IGNORED` where nothing is.
        query_blocked: (P, L, L) True where a query must not look.
        content_blocked: (P, L, L) the same for the context itself.
    """

    tokens: torch.Tensor
    blocked: torch.Tensor
    targets: torch.Tensor
    query_blocked: torch.Tensor
    content_blocked: torch.Tensor

    @classmethod
    def from_labels(
        cls, labels: torch.Tensor, orders: torch.Tensor, config: CLIP4STRConfig
    ) -> "PermutedBatch":
        """Arranges labels.

        Args:
            labels: (B, L) ids, 0 at the end, -100 behind.
            orders: (P, L + 1) reading orders, as `reading_orders` gives them.
            config: for the special ids.
        """
        orders = orders.to(labels.device)
        num_orders = len(orders)
        content_blocked, query_blocked = attention_masks(orders)
        tokens = with_begin(labels[:, :-1], config.begin_id)
        blocked = (tokens == config.end_id) | (tokens == IGNORED)
        tokens = tokens.masked_fill(tokens == IGNORED, config.pad_id)
        targets = labels[:, None].repeat(1, num_orders, 1)
        # [E] is learned with the full and with the empty context, which the first two orders are.
        targets[:, 2:] = targets[:, 2:].masked_fill(targets[:, 2:] == config.end_id, IGNORED)
        return cls(
            tokens[:, None].expand(-1, num_orders, -1),
            blocked[:, None].expand(-1, num_orders, -1),
            targets,
            query_blocked,
            content_blocked,
        )

    def with_predicted_context(self, predicted: torch.Tensor, config: CLIP4STRConfig) -> "PermutedBatch":
        """The same with predicted characters, (B, P, L) ids, for context; as many as the labels have."""
        return replace(self, tokens=with_begin(predicted[..., :-1], config.begin_id))

    def with_cloze(self) -> "PermutedBatch":
        """The same with queries that see all characters but their own, whatever the order."""
        cloze = cloze_mask(self.tokens.shape[-1], self.tokens.device).expand_as(self.query_blocked)
        return replace(self, query_blocked=cloze, content_blocked=cloze)

    def logits(
        self, decoder: CharacterDecoder, memory: list[KeysValues], memory_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Reads all orders at once.

        Args:
            decoder: the branch's decoder.
            memory: from `decoder.project_memory`, batch B: projected once for all orders.
            memory_mask: additive, (1, 1, P * L, M).

        Returns:
            (B, P, L, classes) float32 logits.
        """
        dtype = memory[0][0].dtype
        behind = self.blocked[:, :, None]
        query_mask = additive_mask(self.query_blocked | behind, dtype).flatten(0, 1)[:, None]
        content_mask = additive_mask(self.content_blocked | behind, dtype).flatten(0, 1)[:, None]
        logits = decoder(
            self.tokens.flatten(0, 1),
            memory,
            self.tokens.shape[-1],
            query_mask=query_mask,
            content_mask=content_mask,
            memory_mask=memory_mask,
        )
        return logits.float().unflatten(0, self.tokens.shape[:2])

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of (B, P, L, classes) logits, the mean over all targets of all orders."""
        targets = self.targets.flatten()
        entropy = nn.functional.cross_entropy(
            logits.flatten(0, 2), targets, ignore_index=IGNORED, reduction="sum"
        )
        return entropy / shared_count((targets != IGNORED).sum(), entropy)


def own_caption_mask(
    num_image_tokens: int, num_orders: int, caption_length: int, word_length: int, like: torch.Tensor
) -> torch.Tensor | None:
    """Lets the queries of an order see the image and the caption of their own order.

    The captions of all orders lie behind one copy of the image tokens, which is cheaper than a copy an order.

    Returns:
        (1, 1, P * L, N + P * T) additive; None for one order.
    """
    if num_orders == 1:
        return None
    order = torch.arange(num_orders, device=like.device)
    foreign = order.repeat_interleave(word_length)[:, None] != order.repeat_interleave(caption_length)
    return additive_mask(nn.functional.pad(foreign, (num_image_tokens, 0)), like.dtype)[None, None]
