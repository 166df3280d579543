"""The decoder's two ways of reading agree; orders and masks do what they promise."""

import itertools

import pytest
import torch

from tcm_hf.modeling.character_decoder import CharacterDecoder, DecodingState
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.permutations import attention_masks, reading_orders
from tcm_hf.modeling.recognition_decoding import additive_mask, blank_after, cloze_mask, word_lengths
from tcm_hf.modeling.recognition_training import PermutedBatch, own_caption_mask


def decoder_with(num_layers: int) -> tuple[CharacterDecoder, CLIP4STRConfig]:
    config = CLIP4STRConfig(
        charset="abcdefgh",
        max_label_length=7,
        decoder_num_layers=num_layers,
        decoder_num_attention_heads=2,
        dropout=0.0,
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    decoder = CharacterDecoder(config, 16)
    torch.nn.init.normal_(decoder.pos_queries)
    return decoder.eval(), config


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@torch.no_grad()
def test_reading_step_by_step_equals_one_pass_with_a_causal_mask(num_layers):
    decoder, config = decoder_with(num_layers)
    memory = decoder.project_memory(torch.randn(3, 5, 16))
    tokens = torch.randint(1, 9, (3, 8))
    tokens[:, 0] = config.begin_id
    causal = additive_mask(torch.ones(8, 8).triu(1).bool(), torch.float32)
    whole = decoder(tokens, memory, 8, query_mask=causal, content_mask=causal)
    state = DecodingState(list(memory))
    steps = [decoder.step(state, tokens[:, i], i) for i in range(8)]
    torch.testing.assert_close(torch.stack(steps, dim=1), whole)


@torch.no_grad()
def test_rows_that_leave_the_batch_do_not_disturb_the_others():
    decoder, config = decoder_with(2)
    memory = decoder.project_memory(torch.randn(3, 5, 16))
    begin, letter = torch.full((3,), config.begin_id), torch.tensor([1, 2, 3])
    state = DecodingState(list(memory))
    decoder.step(state, begin, 0)
    whole = decoder.step(state, letter, 1)
    state = DecodingState(list(memory))
    decoder.step(state, begin, 0)
    kept = torch.tensor([2, 0])
    state.select(kept)
    torch.testing.assert_close(decoder.step(state, letter[kept], 1), whole[kept])


@torch.no_grad()
def test_several_rows_of_an_image_share_its_memory():
    decoder, _ = decoder_with(2)
    memory = torch.randn(2, 5, 16)
    tokens = torch.randint(1, 9, (6, 4))
    shared = decoder(tokens, decoder.project_memory(memory), 4)
    repeated = decoder(tokens, decoder.project_memory(memory.repeat_interleave(3, 0)), 4)
    torch.testing.assert_close(shared, repeated)


@torch.no_grad()
def test_orders_read_together_equal_orders_read_alone():
    decoder, config = decoder_with(2)
    labels = torch.tensor([[3, 1, 4, 1, 0], [5, 0, -100, -100, -100]])
    orders = reading_orders(4, 6, generator=torch.Generator().manual_seed(3))
    memory = decoder.project_memory(torch.randn(2, 5, 16))
    together = PermutedBatch.from_labels(labels, orders, config).logits(decoder, memory)
    for i, order in enumerate(orders):
        alone = PermutedBatch.from_labels(labels, order[None], config).logits(decoder, memory)
        torch.testing.assert_close(together[:, i], alone[:, 0])


@torch.no_grad()
def test_an_order_sees_its_own_caption_only():
    decoder, config = decoder_with(1)
    labels = torch.tensor([[3, 1, 4, 0]])
    orders = reading_orders(3, 4, generator=torch.Generator().manual_seed(3))
    image, captions = torch.randn(1, 5, 16), torch.randn(1, 4, 2, 16)
    batch = PermutedBatch.from_labels(labels, orders, config)
    memory = decoder.project_memory(torch.cat([image, captions.flatten(1, 2)], dim=1))
    logits = batch.logits(decoder, memory, own_caption_mask(5, 4, 2, 4, memory[0][0]))
    for i, order in enumerate(orders):
        alone = PermutedBatch.from_labels(labels, order[None], config)
        own = decoder.project_memory(torch.cat([image, captions[:, i]], dim=1))
        torch.testing.assert_close(logits[:, i], alone.logits(decoder, own)[:, 0])


def test_the_end_is_asked_for_in_the_first_two_orders_only():
    _, config = decoder_with(1)
    labels = torch.tensor([[3, 1, 4, 0], [5, 0, -100, -100]])
    batch = PermutedBatch.from_labels(labels, reading_orders(3, 6), config)
    assert (batch.targets == 0).sum(dim=(0, 2)).tolist() == [2, 2, 0, 0, 0, 0]
    assert batch.tokens[0, 0].tolist() == [config.begin_id, 3, 1, 4]
    assert batch.tokens[1, 0].tolist() == [config.begin_id, 5, 0, config.pad_id]
    assert batch.blocked[1, 0].tolist() == [False, False, True, True]


@pytest.mark.parametrize("num_characters", [0, 1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize(("forward", "mirrored"), itertools.product([True, False], repeat=2))
def test_orders_are_permutations_with_the_forward_one_first(num_characters, forward, mirrored):
    orders = reading_orders(num_characters, 6, forward, mirrored).tolist()
    whole = list(range(num_characters + 2))
    assert 1 <= len(orders) <= 6
    assert all(order[0] == 0 and sorted(order) == whole for order in orders)
    if forward:
        assert orders[0] == whole
    if len(orders) > 1:
        assert orders[1] == [0, *reversed(whole[1:])]


def test_orders_follow_their_generator():
    for length in (3, 8):
        first, second = (
            reading_orders(length, 6, generator=torch.Generator().manual_seed(7)) for _ in range(2)
        )
        torch.testing.assert_close(first, second)


def test_a_query_sees_what_is_read_before_it_and_never_its_own_character():
    content, query = attention_masks(torch.tensor([[0, 2, 1, 3]]))
    assert (~query[0]).int().tolist() == [[1, 0, 1], [1, 0, 0], [1, 1, 1]]
    assert (~content[0]).int().tolist() == [[1, 0, 0], [1, 1, 1], [1, 0, 1]]


def test_cloze_hides_the_asked_character_alone():
    assert cloze_mask(3, torch.device("cpu")).int().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_lengths_count_the_end_and_what_is_behind_says_end():
    logits = torch.nn.functional.one_hot(torch.tensor([[2, 0, 1], [1, 1, 1], [0, 0, 2]]), 3).float()
    lengths = word_lengths(logits, 0)
    assert lengths.tolist() == [2, 3, 1]
    blanked = blank_after(logits, lengths, 0)
    torch.testing.assert_close(blanked[1], logits[1])
    torch.testing.assert_close(blanked[0, 2].softmax(-1), torch.tensor([1.0, 0.0, 0.0]))
    assert blanked.argmax(-1).tolist() == [[2, 0, 0], [1, 1, 1], [0, 0, 0]]
