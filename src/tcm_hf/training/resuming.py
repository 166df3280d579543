"""Going on with a training: the checkpoint to go on from, and whether it is of the same training."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SETTINGS_NAME = "training_settings.json"
_FIXED = ("model", "preset", "config", "charset", "classes", "prompt_token_ids", "crop", "optimizer")
_CALLBACK = "EarlyStoppingCallback"


def last_checkpoint(output: Path) -> Path | None:
    """The newest complete checkpoint in `output`, or None; half-written ones are passed over."""
    found = [
        folder
        for folder in output.glob("checkpoint-*")
        if folder.name.removeprefix("checkpoint-").isdigit() and _state_of(folder) is not None
    ]
    return max(found, key=step_of, default=None)


def _state_of(checkpoint: Path) -> dict[str, Any] | None:
    """What the Trainer has noted in a checkpoint; None if it was stopped before it had written all of it."""
    try:
        # The Trainer writes this file last.
        state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state


def has_stopped_early(checkpoint: Path, patience: int) -> bool:
    """Whether a training had ended with that checkpoint: `patience` evaluations without a better score."""
    kept = (_state_of(checkpoint) or {}).get("stateful_callbacks", {}).get(_CALLBACK, {})
    counter: int = kept.get("attributes", {}).get("early_stopping_patience_counter", 0)
    return 0 < patience <= counter


def step_of(checkpoint: Path) -> int:
    """The optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def changed_settings(output: Path, settings: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between the training in `output` and the one that would go on with it.

    Args:
        output: The folder; without a checkpoint or without `training_settings.json` nothing differs.
        settings: The settings to go on with.

    Returns:
        (before, now) of each setting that differs.

    Raises:
        ValueError: If the model, its preset, configuration, charset, classes or prompts, the crop or the
            optimizer differs: that is another training.
    """
    kept = output / SETTINGS_NAME
    if last_checkpoint(output) is None or not kept.is_file():
        return {}
    before = json.loads(kept.read_text(encoding="utf-8"))
    changed = {
        # A training of an older version did not say everything.
        name: (before[name], value)
        for name, value in settings.items()
        if name in before and before[name] != value
    }
    fixed = [f"{name} {changed[name][0]}, now {changed[name][1]}" for name in _FIXED if name in changed]
    if fixed:
        raise ValueError(
            f"{output} holds checkpoints of another training ({'; '.join(fixed)}). Give another --output."
        )
    return changed


def say_how_it_goes_on(output: Path, settings: dict[str, Any]) -> None:
    """Tell on stderr where a training goes on and what is other than before; nothing for a new one."""
    checkpoint = last_checkpoint(output)
    if checkpoint is None:
        return
    for name, (before, now) in changed_settings(output, settings).items():
        print(f"Other {name} than before: {now}, was {before}.", file=sys.stderr)
    step, steps = step_of(checkpoint), settings["steps"]
    if step >= steps:
        print(
            f"{output} has made {step} of {steps} steps: nothing is trained, only its result written anew.",
            file=sys.stderr,
        )
    else:
        print(f"Going on from step {step} of {steps} in {output}.", file=sys.stderr)


def keep_settings(output: Path, settings: dict[str, Any]) -> None:
    """Write `settings` into `output`, for `changed_settings`."""
    output.mkdir(parents=True, exist_ok=True)
    (output / SETTINGS_NAME).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
