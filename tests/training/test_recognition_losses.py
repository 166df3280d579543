import math

import pytest
import torch

from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_losses import CTCHead, RecognitionSchedule, StepPlan, contrastive_loss


def schedule(tmp_path, total_steps, **arguments) -> RecognitionSchedule:
    return RecognitionSchedule(
        TextRecognitionTrainingArguments(str(tmp_path), use_cpu=True, **arguments), total_steps
    )


def test_the_plan_goes_from_warm_up_to_few_and_then_many_permutations(tmp_path):
    plan = schedule(tmp_path, 100, contrastive_steps=0.2, num_permutations=2, final_permutations_from=0.7)
    assert plan.warm_up_steps == 20
    assert [plan.at(step) for step in (0, 19)] == [StepPlan(0.2, 1.0, 0)] * 2
    assert [plan.at(step).num_permutations for step in (20, 69, 70, 99)] == [2, 2, 6, 6]
    assert {plan.at(step).contrastive_weight for step in range(20, 100)} == {0.0}
    fading = [plan.at(step).ctc_weight for step in range(20, 101)]
    assert fading[0] == pytest.approx(0.1)
    assert fading == sorted(fading, reverse=True)
    assert fading[-1] == 0


def test_the_warm_up_may_be_given_in_steps_or_left_out(tmp_path):
    assert schedule(tmp_path, 100, contrastive_steps=30).warm_up_steps == 30
    without = schedule(tmp_path, 100, ctc_auxiliary_weight=0.0)
    assert without.warm_up_steps == 0
    assert not without.arguments.uses_ctc
    assert schedule(tmp_path, 100, ctc_auxiliary_weight=0.0, contrastive_steps=0.1).arguments.uses_ctc


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contrastive_steps", -1),
        ("ctc_weight", -0.1),
        ("decoder_lr_factor", -1.0),
        ("num_permutations", 0),
        ("final_permutations_from", 1.5),
        ("average_decay", 1.0),
    ],
)
def test_arguments_out_of_range_are_named(tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        TextRecognitionTrainingArguments(str(tmp_path), use_cpu=True, **{name: value})


def test_contrast_is_small_when_image_and_caption_agree():
    captions = torch.tensor([[1, 2], [1, 3], [1, 4]])
    features = torch.eye(3)
    agreed = contrastive_loss(features, 5 * features, captions, torch.tensor(4.0))
    wrong = contrastive_loss(features, features.roll(1, 0), captions, torch.tensor(4.0))
    assert agreed < 0.01 < 10 < wrong


def test_equal_captions_are_no_negatives_of_one_another():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scale = torch.tensor(math.log(20.0))
    twice = contrastive_loss(features, features, torch.tensor([[7, 7], [7, 7], [8, 8]]), scale)
    apart = contrastive_loss(features, features, torch.tensor([[7, 7], [6, 6], [8, 8]]), scale)
    assert twice < 1e-6
    assert apart == pytest.approx(2 / 3 * math.log(2), rel=1e-3)  # two rows cannot tell their two captions


@pytest.mark.parametrize("captions", [torch.tensor([[3, 3]]), torch.tensor([[3, 3]] * 4)])
def test_a_batch_without_negatives_has_no_contrast(captions):
    image = torch.randn(len(captions), 4, requires_grad=True)
    loss = contrastive_loss(image, torch.randn(len(captions), 4), captions, torch.tensor(1.0))
    loss.backward()
    assert loss == 0
    assert torch.isfinite(image.grad).all()


def test_the_head_reads_columns_of_the_grid_without_the_class_token():
    head = CTCHead(4, 3, grid_hw=(2, 5))
    with torch.no_grad():
        head.classifier.weight.copy_(20 * torch.eye(4))
        head.classifier.bias.zero_()
    # Each token is the one-hot of what its column says: blank a blank b b -> "ab" (ids 1, 2).
    columns = torch.eye(4)[torch.tensor([0, 1, 0, 2, 2])]
    tokens = torch.cat([torch.full((1, 4), 9.0), columns, columns])[None]
    right = head(tokens, torch.tensor([[1, 2, 0]]))
    padded = head(tokens.expand(2, -1, -1), torch.tensor([[1, 2, 0, -100], [1, 2, 0, -100]]))
    assert right < 1e-3
    assert padded.item() == pytest.approx(right.item(), abs=1e-6)
    assert head(tokens, torch.tensor([[2, 1, 0]])) > 5


@pytest.mark.parametrize("labels", [[[1, 1, 1, 1, 0]], [[0, -100, -100, -100, -100]]])
def test_words_too_long_for_the_columns_and_empty_ones_leave_the_loss_finite(labels):
    head = CTCHead(4, 3, grid_hw=(1, 5))
    tokens = torch.randn(1, 6, 4, requires_grad=True)
    loss = head(tokens, torch.tensor(labels))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(tokens.grad).all()
