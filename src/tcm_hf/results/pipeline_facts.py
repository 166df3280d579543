"""What a record tells of the pipeline that made it: the model, and the parameters it went by."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcm_hf.pipelines.text_detection import TextDetectionPipeline


def model_facts(names: dict[str, str | None], pipeline: Any) -> dict[str, str]:
    """The "model" of a record.

    Args:
        names: The checkpoints: "id" is that of the detector, spotter or recogniser, "recognizer" that of what
            reads its words, with their revisions; what is `None` is left out.
        pipeline: What they run in.
    """
    known = {name: value for name, value in names.items() if value is not None}
    dtype = str(pipeline.dtype).removeprefix("torch.")
    backend = getattr(pipeline, "backend", "torch")
    told = {} if backend == "torch" else {"backend": backend}
    return {**known, "dtype": dtype, "device": str(pipeline.device), **told}


def effective_detection_params(asked: dict[str, Any], pipeline: "TextDetectionPipeline") -> dict[str, Any]:
    """What a detector will go by: its processor's own value stands where none was asked for.

    Settings that no argument of a verb names (PAN's kernels, FCENet's exponents …) are told with the rest.

    Args:
        asked: Parameters by name; `None` where nothing was asked for.
        pipeline: The detector.
    """
    image_processor = pipeline.image_processor
    not_for_it = set(pipeline.decoding_parameters) - set(pipeline.decoding_settings)
    head_type = getattr(getattr(pipeline.model.config, "head_config", None), "head_type", None)
    params = {
        name: getattr(image_processor, name, None) if value is None and name not in not_for_it else value
        for name, value in asked.items()
    }
    # Where the processor has a `shrink_ratio`, it takes the place of its own `unclip_ratio`.
    has_choice = asked["unclip_ratio"] is None and "unclip_ratio" not in not_for_it
    params["shrink_ratio"] = getattr(image_processor, "shrink_ratio", None) if has_choice else None
    if params["shrink_ratio"] is not None:
        params["unclip_ratio"] = None
    if head_type:
        settings = image_processor.get_decoding_settings(head_type)
        params |= {name: getattr(image_processor, name) for name in settings if name not in params}
    return params
