"""Reading orders of permutation language modelling and the attention masks that enforce them.

Source: PARSeq, arXiv 2207.06966, sec. 3.3, as CLIP4STR uses it (arXiv 2305.14014, sec. III-D).
"""

import math
from itertools import permutations

import numpy as np
import torch

SHORT_WORD = 5
"""Shorter words have so few orders that they are drawn from the full list without repetition."""

MIRROR_FREE_4 = [0, 3, 4, 6, 9, 10, 12, 16, 17, 18, 19, 21]
"""Of the 24 orders of four characters in lexicographic order, twelve that hold no order with its reverse."""


def reading_orders(
    num_characters: int,
    num_permutations: int,
    forward: bool = True,
    mirrored: bool = True,
    generator: torch.Generator | None = None,
    rng: np.random.Generator | None = None,
) -> torch.Tensor:
    """Draws the orders in which the characters of a batch are read in one training step.

    Args:
        num_characters: characters of the longest word in the batch, T.
        num_permutations: orders wanted; fewer if there are not so many.
        forward: the first one is left to right.
        mirrored: every order is followed by its reverse.
        generator: source of the orders of words with 5 or more characters; torch's own if None.
        rng: source for shorter words; seeded from `generator` if None.

    Returns:
        (P, T + 2) positions in reading order on the CPU: 0 is [B], T + 1 is [E]. [E] is read last, but in the
        second order, which is right to left, first: so it is learned with the full and with the empty
        context.

    Raises:
        ValueError: for less than one order.
    """
    if num_permutations < 1:
        raise ValueError(f"`num_permutations` must be 1 or more: got {num_permutations}.")
    if num_characters <= 1:
        return torch.arange(num_characters + 2)[None]
    num_drawn = num_permutations // 2 if mirrored and num_permutations > 1 else num_permutations
    num_drawn = min(num_drawn, math.factorial(num_characters) // (2 if mirrored else 1))
    orders = [torch.arange(num_characters)] if forward else []
    missing = num_drawn - len(orders)
    if num_characters < SHORT_WORD:
        orders += _draw_from_all(num_characters, missing, forward, mirrored, generator, rng)
    else:
        orders += [torch.randperm(num_characters, generator=generator) for _ in range(missing)]
    drawn = torch.stack(orders)
    if mirrored and num_permutations > 1:
        drawn = torch.stack([drawn, drawn.flip(-1)], dim=1).flatten(0, 1)
    begin = drawn.new_zeros(len(drawn), 1)
    positions = torch.cat([begin, drawn + 1, begin + num_characters + 1], dim=1)
    if len(positions) > 1:
        # Parity: also where the second order was not the reverse of the first.
        positions[1, 1:] = torch.arange(num_characters + 1, 0, -1)
    return positions


def _draw_from_all(
    num_characters: int,
    count: int,
    forward: bool,
    mirrored: bool,
    generator: torch.Generator | None,
    rng: np.random.Generator | None,
) -> list[torch.Tensor]:
    """`count` different orders; of an order and its reverse at most one if `mirrored`."""
    pool = list(permutations(range(num_characters)))
    if mirrored:
        pool = [pool[i] for i in MIRROR_FREE_4] if num_characters == 4 else pool[: len(pool) // 2]
    if forward:
        pool = pool[1:]
    count = min(count, len(pool))
    if count == 0:
        return []
    if rng is None:
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    return [torch.tensor(pool[i]) for i in rng.choice(len(pool), size=count, replace=False)]


def attention_masks(orders: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Who may look at whom, so that a character depends only on those read before it.

    Args:
        orders: (P, T + 2) positions in reading order, as [`reading_orders`] gives them.

    Returns:
        Two boolean tensors (P, T + 1, T + 1), True where attention is blocked: of the content tokens [B] and
        characters (keys) for the content tokens, and for the queries of characters and [E] at positions
        1..T+1.
    """
    rank = orders.argsort(dim=1)  # when a position is read
    later = rank[:, :, None] < rank[:, None, :]
    content_blocked = later[:, :-1, :-1]
    not_before = rank[:, :, None] <= rank[:, None, :]
    return content_blocked, not_before[:, 1:, :-1]
