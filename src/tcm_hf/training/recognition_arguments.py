"""Training arguments of the recognizers: `TrainingArguments` with the recipe of CLIP4STR and its schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tcm_hf.training.arguments import POLY_SCHEDULE, AveragedTrainingArguments

FALLS: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "polynomial": lambda done: (1 - done) ** POLY_SCHEDULE["power"],
}
"""How a learning rate falls from 1 to 0, over the share of the fall that is done."""


@dataclass
class TextRecognitionTrainingArguments(AveragedTrainingArguments):
    """`TrainingArguments` for `CLIP4STRForTextRecognition`: what is learned when, and at which rate.

    The first `contrastive_steps` bring image and caption together (symmetric InfoNCE, "CLIP", arXiv
    2103.00020) while a throw-away CTC head teaches the image tower its letters; all later steps are
    permutation language modelling (PARSeq, arXiv 2207.06966) with the CTC loss fading out. Rate, betas and
    decay: CLIP4STR, arXiv 2305.14014, section 4.1. The rate rises in `warmup_steps` and falls to 0, along a
    cosine or ("polynomial") as (1 - step / steps) ** 0.9; the decoders begin after the contrastive warm-up,
    with a rise of their own.

    Args:
        contrastive_steps: Optimizer steps of the warm-up, or their share of all steps when below 1; 0 leaves
            it out (the model already knows words, e.g. in fine-tuning).
        contrastive_weight: Weight of the contrastive loss in the warm-up.
        ctc_weight: Weight of the CTC loss in the warm-up; 0 does without the head there.
        ctc_auxiliary_weight: Weight of the CTC loss at the first step after the warm-up; it falls linearly to
            0 at the last step. 0 does without.
        num_permutations: Permutations of a word at the beginning of permutation language modelling.
        final_num_permutations: Permutations at its end; time grows with them.
        final_permutations_from: Share of all steps after which there are `final_num_permutations`.
        decoder_lr_factor: Factor on the learning rate of both decoders: 19 in CLIP4STR, where the towers come
            pretrained; 1 from random weights.
        image_tower_lr_factor: Factor on the learning rate of the image tower; 0 freezes it.
        text_tower_lr_factor: The same for the text tower.
    """

    contrastive_steps: float = field(default=0.0, metadata={"help": "Warm-up: steps, or share below 1."})
    contrastive_weight: float = field(default=0.2, metadata={"help": "Contrastive loss in the warm-up."})
    ctc_weight: float = field(default=1.0, metadata={"help": "CTC loss in the warm-up."})
    ctc_auxiliary_weight: float = field(default=0.1, metadata={"help": "CTC loss after it; fades out."})
    num_permutations: int = field(default=6, metadata={"help": "Permutations of a word at first."})
    final_num_permutations: int = field(default=6, metadata={"help": "Permutations of a word at the end."})
    final_permutations_from: float = field(default=0.67, metadata={"help": "Share of the steps before."})
    decoder_lr_factor: float = field(default=1.0, metadata={"help": "Learning-rate factor of the decoders."})
    image_tower_lr_factor: float = field(default=1.0, metadata={"help": "The same of the image tower."})
    text_tower_lr_factor: float = field(default=1.0, metadata={"help": "The same of the text tower."})

    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate."})
    adam_beta2: float = field(default=0.98, metadata={"help": "Second beta of AdamW."})
    adam_epsilon: float = field(default=1e-6, metadata={"help": "Epsilon of AdamW."})
    weight_decay: float = field(default=0.1, metadata={"help": "Decay of matrices."})
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "cosine or polynomial."})
    warmup_steps: float = field(default=0.075, metadata={"help": "Steps, or their share when below 1."})
    max_grad_norm: float = field(default=20.0, metadata={"help": "Gradient norm above which it is clipped."})
    metric_for_best_model: str | None = field(
        default="eval_accuracy_36", metadata={"help": "What best means."}
    )

    @property
    def uses_ctc(self) -> bool:
        """Whether any step has a CTC loss."""
        return self.ctc_auxiliary_weight > 0 or (self.contrastive_steps > 0 and self.ctc_weight > 0)

    def __post_init__(self) -> None:
        """Check our own fields, then everything that the base class checks."""
        for name in (
            "contrastive_steps",
            "contrastive_weight",
            "ctc_weight",
            "ctc_auxiliary_weight",
            "decoder_lr_factor",
            "image_tower_lr_factor",
            "text_tower_lr_factor",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be 0 or positive: got {getattr(self, name)}.")
        for name in ("num_permutations", "final_num_permutations"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be 1 or more: got {getattr(self, name)}.")
        if self.lr_scheduler_type not in FALLS:
            raise ValueError(
                f"`lr_scheduler_type` of a recognizer must be one of {', '.join(FALLS)}: got "
                f"{str(self.lr_scheduler_type)!r}."
            )
        if self.lr_scheduler_kwargs:
            raise ValueError(
                f"`lr_scheduler_kwargs` is not looked at (came: {self.lr_scheduler_kwargs!r}): the schedules "
                "of a recognizer have no settings but `warmup_steps`."
            )
        if not 0 <= self.final_permutations_from <= 1:
            raise ValueError(
                f"`final_permutations_from` is a share, 0 to 1: got {self.final_permutations_from}."
            )
        super().__post_init__()
