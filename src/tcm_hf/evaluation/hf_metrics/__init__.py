"""Our metrics for Hugging Face's `evaluate`: each folder here is one for `evaluate.load(folder)`."""

from pathlib import Path


def metric_path(task: str) -> str:
    """The folder of a metric.

    ```python
    >>> import evaluate
    >>> from tcm_hf.evaluation.hf_metrics import metric_path

    >>> metric = evaluate.load(metric_path("text-recognition"))
    >>> metric.compute(predictions=["exit"], references=["EXIT"])["accuracy_36"]
    1.0 ```

    Args:
        task: "text-detection", "text-recognition", "text-spotting" or "rotated-detection".

    Raises:
        ValueError: There is no metric for this task.
    """
    folders = {path.name.replace("_", "-"): path for path in Path(__file__).parent.glob("[a-z]*_*")}
    if task not in folders:
        raise ValueError(f"`task` must be one of {', '.join(sorted(folders))}: got {task!r}.")
    return str(folders[task])
