"""The losses that only the training of a recognizer knows: image-caption contrast, CTC, and when."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tcm_hf.training.recognition_arguments import FALLS, TextRecognitionTrainingArguments

BLANK_ID = 0  # the end of a word in its labels; CTC has no end, so the id is free for its blank
MAX_LOGIT_SCALE = 100.0


@dataclass(frozen=True)
class StepPlan:
    """What counts at one optimizer step.

    Attributes:
        contrastive_weight: of the image-caption contrast.
        ctc_weight: of the CTC loss.
        num_permutations: of permutation language modelling; 0 in the warm-up, which does without.
    """

    contrastive_weight: float
    ctc_weight: float
    num_permutations: int


@dataclass(frozen=True)
class RecognitionSchedule:
    """The plan of every step: warm-up, then permutation language modelling with fading CTC.

    Args:
        arguments: The training arguments; see there for the meaning of each.
        total_steps: Optimizer steps of the whole training.
    """

    arguments: TextRecognitionTrainingArguments
    total_steps: int

    @property
    def warm_up_steps(self) -> int:
        """Steps of the contrastive warm-up."""
        steps = self.arguments.contrastive_steps
        return round(steps * self.total_steps) if steps < 1 else int(steps)

    def at(self, step: int) -> StepPlan:
        """The plan of step 0, 1, …."""
        arguments, start = self.arguments, self.warm_up_steps
        if step < start:
            return StepPlan(arguments.contrastive_weight, arguments.ctc_weight, 0)
        left = (self.total_steps - step) / max(self.total_steps - start, 1)
        late = step >= arguments.final_permutations_from * self.total_steps
        return StepPlan(
            contrastive_weight=0.0,
            ctc_weight=arguments.ctc_auxiliary_weight * max(left, 0.0),
            num_permutations=arguments.final_num_permutations if late else arguments.num_permutations,
        )


def rate_factor(step: int, *, start: int, warm_up: int, total: int, schedule: str = "cosine") -> float:
    """Factor on a learning rate: 0 until `start`, up in a line within `warm_up` steps, along a curve to 0.

    Parts that start late meet the others on the same curve.

    Args:
        step: Optimizer step 0, 1, ….
        start: Step at which the part begins to learn.
        warm_up: Steps of the rise.
        total: Steps of the whole training.
        schedule: One of `FALLS`.
    """
    rise = min(1.0, max(0.0, (step - start + 1) / max(warm_up, 1)))
    fall = max(0.0, (step - warm_up) / max(total - warm_up, 1))
    return rise * FALLS[schedule](min(fall, 1.0))


class CTCHead(nn.Module):
    """Reads a word straight off the image tokens; helps the image tower in training and is thrown away.

    The rows of the token grid are averaged, every column says one character or blank (CTC, Graves et al.
    2006; CRNN, arXiv 1507.05717).

    Args:
        hidden_size: Width D of a token.
        num_characters: Characters of the charset, ids 1 … n; id 0 is the blank.
        grid_hw: Rows and columns of the token grid.
    """

    def __init__(self, hidden_size: int, num_characters: int, grid_hw: tuple[int, int]):
        super().__init__()
        self.grid_hw = grid_hw
        self.classifier = nn.Linear(hidden_size, num_characters + 1)

    def forward(self, image_tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The CTC loss, each word's divided by its length.

        Args:
            image_tokens: (B, 1 + rows * columns, D), class token first, rows before columns.
            labels: (B, L) int64: character ids, the end 0, then -100.

        Returns:
            A scalar. Words that the columns cannot spell (longer than they are many) count 0.
        """
        batch_size, _, width = image_tokens.shape
        columns = image_tokens[:, 1:].reshape(batch_size, *self.grid_hw, width).mean(1)
        log_probs = self.classifier(columns).float().log_softmax(-1).transpose(0, 1)  # (columns, B, n + 1)
        return F.ctc_loss(
            log_probs,
            labels.clamp(min=0),
            input_lengths=torch.full((batch_size,), self.grid_hw[1]),
            target_lengths=(labels > 0).sum(1).cpu(),
            blank=BLANK_ID,
            zero_infinity=True,
        )


def contrastive_loss(
    image_features: torch.Tensor,
    caption_features: torch.Tensor,
    caption_ids: torch.Tensor,
    logit_scale: torch.Tensor,
) -> torch.Tensor:
    """Symmetric cross entropy over similarities of images and captions ("CLIP", arXiv 2103.00020, fig. 3).

    Rows with the same caption are no negatives of one another: "the" is right for each of its images.

    Args:
        image_features: (B, D), of any length.
        caption_features: (B, D), of any length.
        caption_ids: (B, T) int64: the captions, to find equal ones.
        logit_scale: Scalar, the logarithm of the inverse temperature.

    Returns:
        A scalar; 0 for a batch of one.
    """
    image = F.normalize(image_features.float(), dim=-1)
    caption = F.normalize(caption_features.float(), dim=-1)
    logits = logit_scale.float().exp().clamp(max=MAX_LOGIT_SCALE) * image @ caption.T
    same = (caption_ids[:, None] == caption_ids[None]).all(-1)
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
