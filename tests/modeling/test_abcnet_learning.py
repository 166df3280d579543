"""ABCNet's head learns what its labels say."""

import pytest
import torch

from tiny import tiny_images
from tiny_spotter import ABCNET_HEAD, tiny_spotter, tiny_spotting_labels

FIELDS = {"attention": "character_logits", "ctc": "ctc_logits"}
NONE = 12
"""The class behind the last of the tiny character set."""


@torch.no_grad()
def test_curves_are_jittered_in_training_only():
    model = tiny_spotter(head_config=ABCNET_HEAD | {"recognizer": "ctc", "curve_jitter": 0.2})
    labels = tiny_spotting_labels()

    def reading_loss() -> float:
        torch.manual_seed(0)
        return model(tiny_images(), labels=labels).loss_dict["loss_characters"].item()

    steady = reading_loss()
    assert reading_loss() == steady
    # The head alone learns, its norms as before: nothing else differs from evaluation.
    model.head.training = True
    jittered = reading_loss()
    model.head.head_config.curve_jitter = 0.0
    assert reading_loss() == pytest.approx(steady)
    assert jittered != pytest.approx(steady)


def labels_to_learn() -> list[dict[str, torch.Tensor]]:
    """Words of four images, one without any; all of four characters, no two equal side by side."""
    labels = tiny_spotting_labels((2, 1, 0, 3))
    generator = torch.Generator().manual_seed(1)
    for label in labels:
        for word in label["character_ids"]:
            word[:4] = torch.randperm(NONE, generator=generator)[:4]
            word[4] = NONE
    return labels


def texts(logits: torch.Tensor, recognizer: str) -> list[list[int]]:
    """(n, T, V + 1) -> what the words say."""
    said = logits.argmax(-1)
    rows = [row.unique_consecutive() if recognizer == "ctc" else row for row in said]
    return [[character for character in row.tolist() if character != NONE] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("recognizer", FIELDS)
def test_a_few_words_are_learned_by_heart(recognizer):
    settings = {"recognizer": recognizer, "neck_channels": 64, "recognizer_hidden_size": 64, "dropout": 0.0}
    model = tiny_spotter(head_config=ABCNET_HEAD | settings | {"proposal_threshold": 0.3}).train()
    images, labels = tiny_images(4), labels_to_learn()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(400):
        optimizer.zero_grad()
        model(images, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    with torch.no_grad():
        output = model.eval()(images)
    for row, label in enumerate(labels):
        found = output.score_logits[row, :, 0].isfinite()
        curves, words = output.bezier_points[row, found].flatten(1), label["bezier_points"].flatten(1)
        assert len(curves) == len(words)
        if len(words):
            distances = torch.cdist(curves, words, p=1) / 16
            assert (distances.amin(dim=0) < 0.01).all()
            read = texts(output[FIELDS[recognizer]][row, found], recognizer)
            expected = texts(torch.nn.functional.one_hot(label["character_ids"], NONE + 1), "attention")
            assert [read[word] for word in distances.argmin(dim=0)] == expected
