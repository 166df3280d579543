"""Dual predict-and-refine: visual reading, caption, cross-modal reading, and both once more.

Source: CLIP4STR, arXiv 2305.14014, algorithm 1.
"""

from collections.abc import Callable

import torch

from .caption_tokenizer import CaptionTokenizer
from .character_decoder import CharacterDecoder, KeysValues
from .configuration_clip4str import CLIP4STRConfig
from .exported_graph import is_exporting
from .recognition_decoding import read_again, read_at_once, read_fixed, read_words, word_lengths


class VisualReading:
    """What the visual branch reads.

    Args:
        config: [`CLIP4STRConfig`].
        decoder: the visual decoder.
        memory: (B, N, D) image tokens.
        num_queries: positions that can be asked for, with the end.
        num_steps: steps for all words; None lets every word end by itself.
    """

    def __init__(
        self,
        config: CLIP4STRConfig,
        decoder: CharacterDecoder,
        memory: torch.Tensor,
        num_queries: int,
        num_steps: int | None,
    ):
        self.decoder, self.num_queries, self.end_id = decoder, num_queries, config.end_id
        self.memory = decoder.project_memory(memory)
        if not config.autoregressive:
            self.logits = read_at_once(decoder, self.memory, num_queries)
        elif num_steps is None:
            self.logits = read_words(decoder, self.memory, num_queries, self.end_id)
        else:
            self.logits = read_fixed(decoder, self.memory, num_steps)
        self.lengths = word_lengths(self.logits, self.end_id) if num_steps is None else None

    def refine(self) -> None:
        """Reads again, from all that was read."""
        self.logits = read_again(
            self.decoder, self.memory, self.logits, self.lengths, self.num_queries, self.end_id
        )
        self.lengths = None


class CrossReading:
    """What the cross-modal branch reads, given the visual reading.

    Args:
        visual: the visual reading, whose words become captions.
        decoder: the cross decoder.
        tokenizer: turns character ids into caption ids.
        encode: (B, T) caption ids -> (B, T, D) caption tokens; the second argument allows it to skip
            repetitions.
        memory: (B, N, D) image tokens.
        num_steps: as for the visual reading.
    """

    def __init__(
        self,
        visual: VisualReading,
        decoder: CharacterDecoder,
        tokenizer: CaptionTokenizer,
        encode: Callable[[torch.Tensor, bool], torch.Tensor],
        memory: torch.Tensor,
        num_steps: int | None,
    ):
        self.visual, self.decoder, self.tokenizer, self.encode = visual, decoder, tokenizer, encode
        # A fixed number of steps promises a graph without questions to the data.
        self.every_row = num_steps is not None or is_exporting()
        self.image = decoder.project_memory(memory)
        self.caption_ids = tokenizer(visual.logits.argmax(-1))
        self.captions = encode(self.caption_ids, not self.every_row)
        self.lengths = visual.lengths
        if num_steps is None:
            self.logits = read_words(decoder, self._memory(), visual.num_queries, visual.end_id, self.lengths)
        else:
            self.logits = read_fixed(decoder, self._memory(), num_steps)

    def _memory(self) -> list[KeysValues]:
        return [
            (torch.cat([keys, caption_keys], dim=2), torch.cat([values, caption_values], dim=2))
            for (keys, values), (caption_keys, caption_values) in zip(
                self.image, self.decoder.project_memory(self.captions), strict=True
            )
        ]

    def refine(self) -> None:
        """Reads again, from all that was read and the caption of the refined visual reading."""
        caption_ids = self.tokenizer(self.visual.logits.argmax(-1))
        if self.every_row:
            self.captions = self.encode(caption_ids, False)
        else:
            changed = (caption_ids != self.caption_ids).any(dim=1).nonzero()[:, 0]
            if len(changed):
                self.captions = self.captions.index_copy(0, changed, self.encode(caption_ids[changed], True))
        self.caption_ids = caption_ids
        self.logits = read_again(
            self.decoder,
            self._memory(),
            self.logits,
            self.lengths,
            self.visual.num_queries,
            self.visual.end_id,
        )
        self.lengths = None
