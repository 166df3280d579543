"""What the end-to-end spotter returns."""

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput


@dataclass
class TCMTextSpottingOutput(ModelOutput):
    """Words of a spotter that reads: Q of them an image, most of them none.

    The fields tell the head. A word's place is in `control_points` or `bezier_points`, what it says in
    `character_logits` or `ctc_logits`.

    Args:
        loss: sum of the weighted losses, with `labels`.
        loss_dict: the single weighted losses, with `labels`.
        score_logits: (B, Q, P'): how likely a query is a word, from each of its control points, or one number
            (P' = 1); the sigmoid of the mean is the score. Minus infinity where there is no word.
        control_points: (B, Q, P, 2): (x, y) in parts of the image's width and height, padding left out; on
            the outline from where reading starts, along the top, then back along the foot.
        bezier_points: (B, Q, 8, 2): the same for the control points of two cubic curves, the top from where
            reading starts, then the foot back; may leave the image.
        character_logits: (B, Q, T, V + 1): the characters of `config.characters`, then none.
        ctc_logits: (B, Q, T, V + 1): the same at T places along the word, to be read as connectionist
            temporal classification does (equal neighbours are one character, the last class is the blank).
        proposal_boxes: (B, Q, 4): (centre x, centre y, width, height) that a query began with, best first; of
            ABCNet the box around the word.
        proposal_index: (B, Q): the token or place of the pyramid that it was.
        matching_map: (B, K, h, w), cosine between image positions and text; None for the baseline.
        hidden_states: feature maps of all stages (only with `output_hidden_states=True`).
        image_embedding: (B, C, h, w), before the visual prompt (only with `output_embeddings=True`, like
            both that follow; each is None where the model has no such part).
        visual_prompt: (B, C, h, w), what the visual prompt adds to it, gate included.
        text_embedding: (B, K, C), after similarity matching and refinement.
    """

    loss: torch.Tensor | None = None
    loss_dict: dict[str, torch.Tensor] | None = None
    score_logits: torch.Tensor | None = None
    control_points: torch.Tensor | None = None
    bezier_points: torch.Tensor | None = None
    character_logits: torch.Tensor | None = None
    ctc_logits: torch.Tensor | None = None
    proposal_boxes: torch.Tensor | None = None
    proposal_index: torch.Tensor | None = None
    matching_map: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    image_embedding: torch.Tensor | None = None
    visual_prompt: torch.Tensor | None = None
    text_embedding: torch.Tensor | None = None


__all__ = ["TCMTextSpottingOutput"]
