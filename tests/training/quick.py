"""Training arguments of a few quick steps on the CPU."""

from pathlib import Path
from typing import Any


def quick_arguments(arguments_class: type, folder: Path, *, evaluates: bool, **changes: Any) -> Any:
    """Four steps of two samples, a checkpoint every two, evaluations only where there are photos for it."""
    values = {
        "max_steps": 4,
        "per_device_train_batch_size": 2,
        "save_steps": 2,
        "eval_steps": 2,
        "logging_steps": 1,
        "image_tower_lr_factor": 1.0,
        "use_cpu": True,
        "disable_tqdm": True,
    }
    if not evaluates:
        values |= {"eval_strategy": "no", "load_best_model_at_end": False, "metric_for_best_model": None}
    return arguments_class(str(folder), **(values | changes))
