"""The recogniser that reads all columns at once."""

import pytest
import torch

from tcm_hf.modeling.ctc_recognizer import CTCRecognizer, DilatedBlock
from tcm_hf.modeling.even_alignment import even_alignment_loss
from tcm_hf.modeling.spotting_losses import ctc_losses
from tiny_spotter import ABCNET_HEAD, tiny_spotting_config


def recognizer(**head) -> CTCRecognizer:
    """Seeded, in eval mode."""
    torch.manual_seed(0)
    return CTCRecognizer(tiny_spotting_config(head_config=ABCNET_HEAD | {"recognizer": "ctc"} | head)).eval()


@pytest.mark.parametrize("size_hw", [(8, 16), (7, 20), (2, 5), (1, 1)])
@torch.no_grad()
def test_every_column_says_one_character_whatever_the_rows(size_hw):
    reader = recognizer(region_size_hw=size_hw, num_characters=1)
    assert reader(torch.randn(3, 32, *size_hw)).shape == (3, size_hw[1], 13)
    assert reader.num_steps == size_hw[1]


@torch.no_grad()
def test_context_begins_with_nothing():
    reader, features = recognizer(), torch.randn(2, 32, 8, 16)
    reader.initialize_parameters()
    with_context = reader(features)
    reader.context = torch.nn.Identity()
    torch.testing.assert_close(reader(features), with_context)


def test_a_column_sees_half_of_a_short_word_on_either_side():
    reader = recognizer(region_size_hw=(8, 64))
    features = torch.randn(1, 32, 8, 64, requires_grad=True)
    reader(features)[0, 32].sum().backward()
    seen = features.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert seen.min() <= 16 and seen.max() >= 48


@pytest.mark.parametrize("words", [0, 3])
def test_reading_costs_what_the_weights_say_as_a_mean_over_words(words):
    reader = recognizer(character_loss_weight=2.0, alignment_loss_weight=0.5)
    logits = torch.randn(words, 16, 13, requires_grad=True)
    ids = torch.tensor([[0, 1, 1, 12, 12]]).expand(words, -1)
    losses = reader.losses(logits, ids)
    assert set(losses) == {"loss_characters", "loss_alignment"}
    sum(losses.values()).backward()
    assert logits.grad is not None
    if words:
        expected = 2 * ctc_losses(logits, ids).mean().item()
        assert losses["loss_characters"].item() == pytest.approx(expected)
        assert losses["loss_alignment"].item() == pytest.approx(0.5 * even_alignment_loss(logits, ids).item())
    else:
        assert [loss.item() for loss in losses.values()] == [0, 0]
    assert set(recognizer().losses(logits, ids)) == {"loss_characters"}


def test_a_word_has_a_column_for_every_character():
    with pytest.raises(ValueError, match=r"`num_characters` 17.*16 columns"):
        recognizer(num_characters=17)


def test_a_block_learns_from_its_first_step():
    block, hidden = DilatedBlock(4, 2), torch.randn(2, 4, 1, 9)
    torch.nn.init.zeros_(block.norm.weight)
    torch.testing.assert_close(block(hidden), hidden)
    block(hidden).square().sum().backward()
    assert block.norm.weight.grad.abs().sum() > 0
