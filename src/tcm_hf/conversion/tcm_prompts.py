"""Class prompts of TCM as token ids: those of the released detectors, and sentences of the user."""

from collections.abc import Sequence
from pathlib import Path

from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.modeling.configuration_rotated import DOTA_CLASSES
from tcm_hf.modeling.configuration_tcm import PREDEFINED_PROMPT_TOKEN_IDS
from tcm_hf.processing.tokenization_clip4str import CaptionBPETokenizer

RELEASED_PROMPT = "the pixels of many arbitrary-shape text instances."
PAPER_PROMPT = "text"

KNOWN: dict[str, list[int]] = {
    RELEASED_PROMPT: PREDEFINED_PROMPT_TOKEN_IDS,
    PAPER_PROMPT: [49406, 4160, 49407],
    **DOTA_CLASSES,
}
"""Sentences whose ids need no vocabulary: of the released detectors, and the paper's "Text"."""

RELEASED_LENGTH = len(PREDEFINED_PROMPT_TOKEN_IDS)
PAPER_LENGTH = 5
"""`context_length` of the released configurations, and of the older ones with the paper's prompt."""

START_OF_TEXT, END_OF_TEXT = 49406, 49407
_MAX_LENGTH = 77


def prompt_token_ids(prompts: Sequence[str], vocabulary: str | Path | None = None) -> list[list[int]]:
    """Token ids of class prompts, from `<|startoftext|>` to `<|endoftext|>`, without padding.

    Args:
        prompts: one sentence a class.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; only read for sentences
            that are not in `KNOWN`.

    Raises:
        ValueError: for a sentence without a letter, or one of more than 77 tokens.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    if all(prompt in KNOWN for prompt in prompts):
        return [list(KNOWN[prompt]) for prompt in prompts]
    tokens, merges = load_clip_vocabulary(vocabulary)
    tokenizer = CaptionBPETokenizer(vocab=tokens, merges=merges)
    ids = []
    for prompt in prompts:
        # One more than there may be: a sentence that is cut off would go unnoticed otherwise.
        row = tokenizer.encode_captions([prompt], _MAX_LENGTH + 1)[0].tolist()
        row = row[: row.index(END_OF_TEXT) + 1]
        if not 2 < len(row) <= _MAX_LENGTH:
            raise ValueError(
                f"A prompt must have 1 to {_MAX_LENGTH - 2} tokens: {prompt!r} has {len(row) - 2}."
            )
        ids.append(row)
    return ids


def prompt_text(token_ids: Sequence[int], vocabulary: str | Path | None = None) -> str:
    """The sentence of token ids.

    Args:
        token_ids: from `<|startoftext|>` to `<|endoftext|>`.
        vocabulary: see `prompt_token_ids`.

    Raises:
        ValueError: if the ids are not those of a sentence.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    for text, known in KNOWN.items():
        if list(token_ids) == known:
            return text
    text = ""
    if [token_ids[0], token_ids[-1]] == [START_OF_TEXT, END_OF_TEXT]:
        tokens, merges = load_clip_vocabulary(vocabulary)
        tokenizer = CaptionBPETokenizer(vocab=tokens, merges=merges)
        text = str(tokenizer.decode(list(token_ids), skip_special_tokens=True)).strip()
    if not text or prompt_token_ids([text], vocabulary) != [list(token_ids)]:
        raise ValueError(f"The prompt {list(token_ids)} is no sentence of CLIP's vocabulary.")
    return text


__all__ = [
    "KNOWN",
    "PAPER_LENGTH",
    "PAPER_PROMPT",
    "RELEASED_LENGTH",
    "RELEASED_PROMPT",
    "prompt_text",
    "prompt_token_ids",
]
