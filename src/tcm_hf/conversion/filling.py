"""A converted model: errors in the words of its checkpoint, weights filled in, what is known of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from tcm_hf.conversion.key_report import KeyReport, first_problems, fit_tensors
from tcm_hf.conversion.key_rules import RenamedTensors
from tcm_hf.conversion.original_names import in_original_names

UNCHECKED = "no configuration stored: completeness unchecked; give --preset or --config"
"""That whole layers or optional parts are missing, no tensor shows."""

FRESH = {r".+\.num_batches_tracked": "a counter of training steps"}


@dataclass
class Converted:
    """A checkpoint as a model of ours.

    Args:
        model: the model, in eval mode.
        report: which tensors were taken and which left out.
        notes: what is known of it, and how, for people: prompt, positions, image processing.
    """

    model: Any
    report: KeyReport
    notes: dict[str, str] = field(default_factory=dict)


@contextmanager
def in_words_of(renamed: RenamedTensors, source: str) -> Iterator[None]:
    """Raises what is wrong inside the block as ValueError about `source`, with the names of its tensors."""
    try:
        yield
    except (ValueError, StrictDataclassError) as error:
        reason = in_original_names(str(error).rstrip("."), renamed.rules)
        raise ValueError(f"{source} cannot be converted: {reason}.{first_problems(renamed)}") from error


def filled(
    model_class: type[PreTrainedModel],
    config: PreTrainedConfig,
    renamed: RenamedTensors,
    source: str,
    absent: Mapping[str, str],
) -> Converted:
    """A model with a checkpoint's tensors.

    Args:
        model_class: class of the model.
        config: its config.
        renamed: the tensors under its names.
        source: what they come from, for errors.
        absent: names of ours (regular expressions) that this model was built without -> reason.

    Raises:
        KeyMismatchError: if a name or a shape does not fit.
    """
    with no_init_weights():  # all of them are replaced, or nothing is converted
        model = model_class(config).eval()
    state, report = fit_tensors(renamed, model.state_dict(), source, FRESH, absent)
    model.load_state_dict(state)
    return Converted(model, report)


__all__ = ["UNCHECKED", "Converted", "filled", "in_words_of"]
