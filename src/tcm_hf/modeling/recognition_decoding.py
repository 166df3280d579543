"""Reading words with a character decoder: one by one, all at once, and again with what was read."""

import torch

from .character_decoder import CharacterDecoder, DecodingState, KeysValues, LoopState
from .exported_graph import is_exporting, repeat_while

IMPOSSIBLE = -1e4
"""Logit of what cannot be: its softmax beside a 0 is exactly 0 in every dtype."""

COMPACT_SHARE = 0.25
"""Finished rows leave the batch when they are this share of it: copying the rest costs about one step."""


def end_of_word_logits(num_classes: int, end_id: int, device: torch.device) -> torch.Tensor:
    """(classes,) logits that say [E] with probability 1, for positions behind the end of a word."""
    logits = torch.full((num_classes,), IMPOSSIBLE, device=device)
    logits[end_id] = 0
    return logits


def word_lengths(logits: torch.Tensor, end_id: int) -> torch.Tensor:
    """(B, T, classes) -> (B,) positions up to and with the first [E]; T where there is none."""
    ended = logits.argmax(-1) == end_id
    return torch.where(ended.any(-1), ended.int().argmax(-1) + 1, ended.shape[1])


def blank_after(logits: torch.Tensor, lengths: torch.Tensor, end_id: int) -> torch.Tensor:
    """Overwrites the positions from `lengths` on with certain [E]."""
    positions = torch.arange(logits.shape[1], device=logits.device)
    behind = (positions >= lengths[:, None])[..., None]
    return torch.where(behind, end_of_word_logits(logits.shape[-1], end_id, logits.device), logits)


def read_fixed(decoder: CharacterDecoder, memory: list[KeysValues], num_steps: int) -> torch.Tensor:
    """Greedy reading of `num_steps` characters of every word, whether it has ended or not.

    Args:
        decoder: the branch's decoder.
        memory: from `decoder.project_memory`, batch B.
        num_steps: positions to read.

    Returns:
        (B, num_steps, classes) float32 logits.
    """
    state = DecodingState(list(memory))
    keys = memory[0][0]
    tokens = torch.full((keys.shape[0],), decoder.begin_id, dtype=torch.long, device=keys.device)
    logits = []
    for step in range(num_steps):
        logits.append(decoder.step(state, tokens, step).float())
        tokens = logits[-1].argmax(-1)
    return torch.stack(logits, dim=1)


def read_words(
    decoder: CharacterDecoder,
    memory: list[KeysValues],
    num_steps: int,
    end_id: int,
    lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Greedy reading in which every word takes its own number of steps: none depends on its neighbours.

    Args:
        decoder: the branch's decoder.
        memory: from `decoder.project_memory`, batch B.
        num_steps: positions to read at most.
        end_id: id of [E].
        lengths: (B,) steps of every word; a word ends with its first [E] if None.

    Returns:
        (B, T, classes) float32 logits, T that of the longest word; certain [E] behind the steps of a word.
        T is `num_steps` in an exported graph.
    """
    if is_exporting():
        return read_in_loop(decoder, memory, num_steps, end_id, lengths)
    state = DecodingState(list(memory))
    keys = memory[0][0]
    rows = torch.arange(keys.shape[0], device=keys.device)
    tokens = torch.full_like(rows, decoder.begin_id)
    finished = torch.zeros_like(rows, dtype=torch.bool)
    # A question to a GPU stalls it; a few idle steps are cheaper.
    ask_every = 1 if keys.device.type == "cpu" else 4
    blank = end_of_word_logits(decoder.head.out_features, end_id, keys.device)
    logits = blank.repeat(len(rows), num_steps, 1)
    for step in range(num_steps):
        predicted = decoder.step(state, tokens, step).float()
        logits[rows, step] = predicted
        tokens = predicted.argmax(-1)
        finished = finished | (tokens == end_id) if lengths is None else lengths[rows] <= step + 1
        if (step + 1) % ask_every or step + 1 == num_steps:
            continue
        num_finished = int(finished.sum())
        if num_finished == len(rows):
            break
        if num_finished >= COMPACT_SHARE * len(rows):
            kept = (~finished).nonzero()[:, 0]
            state.select(kept)
            rows, tokens, finished = rows[kept], tokens[kept], finished[kept]
    if lengths is None:
        lengths = word_lengths(logits, end_id)
    return blank_after(logits, lengths, end_id)[:, : int(lengths.max())]


def read_in_loop(
    decoder: CharacterDecoder,
    memory: list[KeysValues],
    num_steps: int,
    end_id: int,
    lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """What `read_words` reads, as a loop of the graph, which ends behind the longest word.

    Args:
        decoder: the branch's decoder.
        memory: from `decoder.project_memory`, batch B.
        num_steps: positions to read at most.
        end_id: id of [E].
        lengths: (B,) steps of every word; a word ends with its first [E] if None.

    Returns:
        (B, num_steps, classes) float32 logits; certain [E] behind the steps of a word.
    """
    keys = memory[0][0]
    rows = keys.new_zeros(keys.shape[0], dtype=torch.long)
    room = keys.new_zeros(keys.shape[0], keys.shape[1], num_steps, keys.shape[3])
    blank = end_of_word_logits(decoder.head.out_features, end_id, keys.device)
    places = torch.arange(num_steps, device=keys.device)

    def goes_on(position, tokens, finished, logits, *content):
        return (position[0] < num_steps) & ~finished.all()

    def read_one(position, tokens, finished, logits, *content):
        state = LoopState(memory, list(zip(content[::2], content[1::2], strict=True)), position)
        predicted = decoder.step_in_loop(state, tokens).float()
        logits = torch.where((places == position)[:, None], predicted[:, None], logits)
        tokens = predicted.argmax(-1)
        finished = finished | (tokens == end_id) if lengths is None else lengths <= position + 1
        content = tuple(part for pair in state.content for part in pair)
        return position + 1, tokens, finished, logits, *content

    carried = (
        rows.new_zeros(1),
        torch.full_like(rows, decoder.begin_id),
        torch.zeros_like(rows, dtype=torch.bool),
        blank.repeat(rows.shape[0], num_steps, 1),
        *(room.clone() for _ in range(2 * len(memory))),
    )
    logits = repeat_while(goes_on, read_one, carried)[3]
    return blank_after(logits, word_lengths(logits, end_id) if lengths is None else lengths, end_id)


def read_at_once(decoder: CharacterDecoder, memory: list[KeysValues], num_steps: int) -> torch.Tensor:
    """Names all characters without any context but [B], the non-autoregressive reading.

    Returns:
        (B, num_steps, classes) float32 logits.
    """
    keys = memory[0][0]
    tokens = torch.full((keys.shape[0], 1), decoder.begin_id, dtype=torch.long, device=keys.device)
    return decoder(tokens, memory, num_steps).float()


def read_again(
    decoder: CharacterDecoder,
    memory: list[KeysValues],
    logits: torch.Tensor,
    lengths: torch.Tensor | None,
    num_queries: int,
    end_id: int,
) -> torch.Tensor:
    """Refinement: every position is asked once more, now seeing all characters but its own (cloze).

    Args:
        decoder: the branch's decoder.
        memory: from `decoder.project_memory`, batch B.
        logits: (B, L, classes) the last reading.
        lengths: (B,) positions of it that count, with the end; all L if None.
        num_queries: positions to ask for, also beyond L: a word may become longer.
        end_id: id of [E].

    Returns:
        (B, num_queries, classes) float32 logits.
    """
    read = logits[:, :-1].argmax(-1)
    tokens = with_begin(read, decoder.begin_id)
    hidden = (tokens == end_id).cumsum(-1) > 0  # [E] and all behind it; never [B]
    if lengths is not None:
        hidden = hidden | (torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None])
    cloze = cloze_mask(max(num_queries, tokens.shape[1]), tokens.device)
    # Parity: upstream hides the character that a position asks for from the content stream too.
    content_mask = cloze[: tokens.shape[1], : tokens.shape[1]] | hidden[:, None, None]
    query_mask = cloze[:num_queries, : tokens.shape[1]] | hidden[:, None, None]
    dtype = memory[0][0].dtype
    return decoder(
        tokens,
        memory,
        num_queries,
        query_mask=additive_mask(query_mask, dtype),
        content_mask=additive_mask(content_mask, dtype),
    ).float()


def with_begin(tokens: torch.Tensor, begin_id: int) -> torch.Tensor:
    """(B, L) -> (B, L + 1) with [B] in front."""
    return torch.nn.functional.pad(tokens, (1, 0), value=begin_id)


def cloze_mask(size: int, device: torch.device) -> torch.Tensor:
    """(size, size), True at the one token that query i asks for: i + 1."""
    positions = torch.arange(size, device=device)
    return positions == positions[:, None] + 1


def additive_mask(blocked: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """True -> -inf, False -> 0."""
    return torch.zeros(blocked.shape, dtype=dtype, device=blocked.device).masked_fill(blocked, -torch.inf)
