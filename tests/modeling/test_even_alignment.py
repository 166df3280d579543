import pytest
import torch

from tcm_hf.modeling.even_alignment import even_alignment_loss, evenly_aligned

BLANK = 9


@pytest.mark.parametrize(
    ("ids", "columns"),
    [
        pytest.param([1, 2, 9, 9], [9, 1, 1, 9, 9, 2, 2, 9], id="two characters, blanks between them"),
        pytest.param([5, 9, 9, 9], [9, 9, 5, 5, 5, 5, 9, 9], id="one character, in the middle"),
        pytest.param([9, 9, 9, 9], [9] * 8, id="no character"),
        pytest.param([1, 2, 3, 4], [1, 1, 2, 2, 3, 3, 4, 4], id="too narrow for blanks"),
    ],
)
def test_characters_are_spread_evenly_over_the_columns(ids, columns):
    assert evenly_aligned(torch.tensor([ids]), 8, BLANK).tolist() == [columns]


def test_columns_that_say_so_cost_nothing_and_others_do():
    ids = torch.tensor([[1, 2, 9, 9], [3, 9, 9, 9]])
    right = torch.nn.functional.one_hot(evenly_aligned(ids, 8, BLANK), BLANK + 1) * 50.0
    assert even_alignment_loss(right, ids).item() == pytest.approx(0.0, abs=1e-6)
    assert even_alignment_loss(right.roll(1, dims=-1), ids).item() > 10


def test_a_batch_without_words_costs_nothing_and_has_a_gradient():
    logits = torch.zeros(0, 8, BLANK + 1, requires_grad=True)
    loss = even_alignment_loss(logits, torch.zeros(0, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
