import numpy as np
import pytest

from tcm_hf.training.replay import HardExamples, NumberedCollator, NumberedDataset, ReplaySampler

ROUND = 10


def numbers_of(examples: HardExamples, index: int) -> list[int]:
    return [examples.number_at(ROUND * index + place) for place in range(ROUND)]


def run_round(examples: HardExamples, index: int, loss=lambda number: float(number)) -> list[int]:
    numbers = numbers_of(examples, index)
    examples.note(numbers, [loss(number) for number in numbers])
    examples.end_round()
    return numbers


def test_the_hardest_of_a_round_come_again_in_the_round_after_the_next():
    examples = HardExamples(ROUND, 0.3)
    first, second = run_round(examples, 0), run_round(examples, 1)
    assert (first, second) == (list(range(10)), list(range(10, 20)))
    third = numbers_of(examples, 2)
    assert sorted(set(third) & set(first)) == [7, 8, 9]
    assert [number for number in third if number >= 20] == list(range(20, 27))  # new ones go on in order


def test_no_sample_is_left_out_and_what_stays_hard_comes_every_second_round():
    examples = HardExamples(ROUND, 0.3)
    seen = [number for index in range(9) for number in run_round(examples, index, lambda number: -number)]
    assert set(seen) == set(range(max(seen) + 1))
    assert [index for index in range(9) if 0 in numbers_of(examples, index)] == [0, 2, 4, 6, 8]


def test_the_places_are_drawn_by_the_seed():
    plans = []
    for seed in (1, 1, 2):
        examples = HardExamples(ROUND, 0.5, seed)
        run_round(examples, 0)
        plans.append(numbers_of(examples, 2) if len(examples.plans) > 2 else None)
    assert plans[0] == plans[1] != plans[2]


def test_equal_losses_and_broken_ones_have_an_order():
    examples = HardExamples(ROUND, 0.2)
    examples.note(range(10), [float("nan"), float("inf"), *[1.0] * 8])
    examples.end_round()
    assert examples.plans[2].tolist() == [2, 3]


def test_a_round_without_losses_has_no_replays():
    examples = HardExamples(ROUND, 0.5)
    examples.end_round()
    assert numbers_of(examples, 2) == list(range(20, 30))


@pytest.mark.parametrize("noted", [0, 4, 10])
def test_a_checkpoint_goes_on_with_the_same_plans(tmp_path, noted):
    whole = HardExamples(ROUND, 0.4, 5)
    for index in range(3):
        run_round(whole, index, lambda number: (7 * number) % 13)
    numbers = numbers_of(whole, 3)
    whole.note(numbers[:noted], np.arange(noted) / 3)
    whole.save(tmp_path)
    again = HardExamples(ROUND, 0.4, 5)
    again.number_at(0)
    again.load(tmp_path)
    for examples in (whole, again):
        examples.note(numbers[noted:], np.arange(noted, ROUND) / 3)
        examples.end_round()
    assert [numbers_of(again, index) for index in range(6)] == [
        numbers_of(whole, index) for index in range(6)
    ]


def test_without_a_file_nothing_comes_again_at_first(tmp_path):
    examples = HardExamples(ROUND, 0.4)
    examples.load(tmp_path)
    assert numbers_of(examples, 1) == list(range(10, 20))


def test_a_round_that_is_not_planned_yet_is_named():
    with pytest.raises(ValueError, match="replay_round_steps"):
        HardExamples(ROUND, 0.4).number_at(2 * ROUND)


def test_the_sampler_asks_as_late_as_possible_and_goes_on_in_the_next_epoch():
    examples = HardExamples(ROUND, 0.3)
    sampler = ReplaySampler(3 * ROUND, examples)
    numbers = iter(sampler)
    taken = [next(numbers) for _ in range(2 * ROUND)]
    assert taken == list(range(20))
    for index in range(2):
        run_round(examples, index)
    assert [*taken, *numbers][20:] == numbers_of(examples, 2)
    sampler.set_epoch(1)
    run_round(examples, 2)
    assert next(iter(sampler)) == examples.number_at(3 * ROUND)


def test_samples_and_batches_know_their_numbers():
    samples = NumberedDataset([{"pixel_values": 4}, {"pixel_values": 5}])
    assert len(samples) == 2
    batch = NumberedCollator(lambda some: {"sum": sum(one["pixel_values"] for one in some)})(
        [samples[1], samples[0]]
    )
    assert (batch["sum"], batch["sample_numbers"].tolist()) == (9, [1, 0])
