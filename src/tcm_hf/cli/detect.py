"""`tcm-hf detect`: find the text in images, write polygons and pictures."""

import argparse
import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf import default_checkpoint
from tcm_hf.cli.arguments import positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.formats import (
    FORMATS,
    Record,
    image_record,
    parse_coco,
    parse_json_array,
    parse_json_lines,
    render_coco,
    render_icdar,
    render_json,
    render_json_array,
    render_json_lines,
    render_labelme,
)
from tcm_hf.cli.inputs import DRAWINGS_MARKER, ImageInput, expand_inputs
from tcm_hf.cli.writers import (
    FileWriter,
    FolderWriter,
    JournaledFolderWriter,
    StdoutDocumentWriter,
    StdoutLineWriter,
)

if TYPE_CHECKING:
    import numpy as np

    from tcm_hf.pipelines.text_detection import TextDetectionPipeline

EXIT_SOME_FAILED = 3

_PIPELINE_PARAMETERS = (
    "threshold",
    "binarize_threshold",
    "unclip_ratio",
    "polygon_mode",
    "max_detections",
    "sort",
    "tile",
)

Writer = FolderWriter | FileWriter | StdoutDocumentWriter | StdoutLineWriter


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = subparsers.add_parser(
        "detect",
        help="find the text in images",
        description="Find the text in images. Results go to stdout or --output, everything else to stderr.",
        epilog="Exit codes: 0 done, 2 wrong use, 3 some images could not be read (named), 130 Ctrl-C.",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, folder, glob, or - for a list on stdin"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR|FILE",
        help="a file per image in DIR, or one FILE (.json, .jsonl)",
    )
    parser.add_argument("--format", choices=FORMATS, help="default: by the suffix of --output, else json")
    parser.add_argument(
        "--draw",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="DIR",
        help="save pictures with the polygons, by default in 'drawn' beside the results",
    )
    parser.add_argument(
        "--resume", action="store_true", help="skip what an earlier run into --output has done"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    _add_detection_arguments(parser.add_argument_group("detection (default: as stored with the model)"))
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", metavar="DIR|ID", help="checkpoint folder or Hub id (default: the shipped one)"
    )
    model.add_argument(
        "--device", type=_device, default="auto", help="auto (default), cpu, cuda, cuda:0, mps, xpu"
    )
    model.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    model.add_argument(
        "--batch-size",
        type=positive_int,
        default=1,
        metavar="N",
        help="images at once; never changes results",
    )


def _add_detection_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--threshold", type=_probability, metavar="P", help="smallest score of a text, 0 to 1")
    group.add_argument(
        "--binarize-threshold", type=_probability, metavar="P", help="smallest probability of a pixel"
    )
    group.add_argument("--unclip-ratio", type=_ratio, metavar="R", help="growth of the shrunk text kernels")
    group.add_argument(
        "--polygon-mode", choices=("quad", "polygon"), help="four corners, or as many as it takes"
    )
    group.add_argument("--max-detections", type=positive_int, metavar="N", help="at most N texts per image")
    group.add_argument("--sort", choices=("score", "reading"), default="score", help="order of the texts")
    group.add_argument(
        "--tile", type=_tile, metavar="auto|PIXELS", help="cut large photos in overlapping tiles"
    )


def run(arguments: argparse.Namespace) -> int:
    """Find the text in the images that the arguments name; returns the exit code."""
    writer = _make_writer(arguments)
    draw_folder = _draw_folder(arguments)
    if not arguments.paths:
        raise CommandError("name at least one PATH (and put --draw without a folder after the paths)")
    images = expand_inputs(arguments.paths, sys.stdin, exclude=[draw_folder] if draw_folder else [])
    earlier: list[Record] = []
    todo = images
    if arguments.resume and isinstance(writer, FileWriter | FolderWriter):
        earlier, todo = writer.resume(images)
    asked = {name: value for name, value in _asked_params(arguments).items() if value is not None}
    _check_same_settings(writer, earlier, asked, arguments)
    detector = _load_detector(arguments) if todo else None
    if detector:
        # Once more: what was not asked for may have been asked for then.
        _check_same_settings(writer, earlier, _effective_params(detector, arguments), arguments)
    with writer:
        texts, failures = _detect_all(detector, todo, writer, draw_folder, arguments) if detector else (0, 0)
    if not arguments.quiet:
        resumed = f", {len(images) - len(todo)} done before" if arguments.resume else ""
        drawings = f", pictures in {draw_folder}/" if draw_folder else ""
        print(
            f"tcm-hf detect: {texts} texts in {len(todo) - failures} images, {failures} failed{resumed}; "
            f"results in {writer}{drawings}",
            file=sys.stderr,
        )
    return EXIT_SOME_FAILED if failures else 0


def _make_writer(arguments: argparse.Namespace) -> Writer:
    output: Path | None = arguments.output
    by_suffix = "jsonl" if output is not None and output.suffix == ".jsonl" else "json"
    match (arguments.format or by_suffix), output:
        case ("icdar" | "labelme") as per_image, None:
            raise CommandError(f"--format {per_image} writes a file per image: --output DIR is needed")
        case _, None if arguments.resume:
            raise CommandError("--resume needs --output")
        case "json", None:
            return StdoutDocumentWriter(render_json_array)
        case "coco", None:
            return StdoutDocumentWriter(render_coco)
        case _, None:
            return StdoutLineWriter()
        case ("icdar" | "labelme") as per_image, Path() if _is_file_name(output):
            raise CommandError(
                f"--format {per_image} writes a file per image: --output must be a folder, not {output}"
            )
        case "icdar", Path():
            return JournaledFolderWriter(output, "res_", ".txt", render_icdar)
        case "labelme", Path():
            return JournaledFolderWriter(output, "", ".json", render_labelme)
        case "jsonl", Path():
            file = output if _is_file_name(output) else output / "detections.jsonl"
            return FileWriter(file, render_json_lines, parse_json_lines)
        case "coco", Path():
            file = output if _is_file_name(output) else output / "detections.coco.json"
            return FileWriter(file, render_coco, parse_coco)
        case _, Path() if _is_file_name(output):
            return FileWriter(output, render_json_array, parse_json_array)
        case _:
            return FolderWriter(output, "", ".json", render_json)


def _is_file_name(output: Path) -> bool:
    return output.suffix in (".json", ".jsonl", ".txt") and not output.is_dir()


def _draw_folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.draw is None:
        return None
    if arguments.draw.is_file():
        raise CommandError(
            f"--draw takes a folder, and {arguments.draw} is a file: put --draw after the paths"
        )
    if arguments.draw != Path():
        return arguments.draw
    output = arguments.output
    if output is None:
        return Path("drawn")
    return (output.parent if _is_file_name(output) else output) / "drawn"


def _check_same_settings(
    writer: Writer, records: list[Record], params: dict[str, Any], arguments: argparse.Namespace
) -> None:
    """Refuse to mix results of two settings; a parameter that `params` lacks agrees with any."""
    for record in records:
        differing = [
            name
            for name in _PIPELINE_PARAMETERS
            if name in params and record["params"].get(name) != params[name]
        ]
        if record["model"]["id"] != _model_id(arguments):
            differing.append("model")
        if differing:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in differing)
            raise CommandError(
                f"--resume: {writer} was begun with another {names}; use that, or another --output"
            )


def _effective_params(detector: "TextDetectionPipeline", arguments: argparse.Namespace) -> dict[str, Any]:
    """What the pipeline will go by: the processor's own value stands where none was asked for."""
    processor = detector.image_processor
    params = {
        name: getattr(processor, name, None) if value is None else value
        for name, value in _asked_params(arguments).items()
    }
    # Where the processor has a `shrink_ratio`, it takes the place of its own `unclip_ratio`.
    params["shrink_ratio"] = (
        getattr(processor, "shrink_ratio", None) if arguments.unclip_ratio is None else None
    )
    if params["shrink_ratio"] is not None:
        params["unclip_ratio"] = None
    return params


def _asked_params(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in _PIPELINE_PARAMETERS}


def _model_id(arguments: argparse.Namespace) -> str:
    return arguments.model or default_checkpoint().name


def _load_detector(arguments: argparse.Namespace) -> "TextDetectionPipeline":
    model = arguments.model or str(default_checkpoint())
    folder = Path(model)
    # A Hub id is a name or owner/name; anything else can only be a folder. Told before torch is imported.
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise CommandError(f"no config.json in {model}: it holds no checkpoint")
    if not folder.is_dir() and not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", model):
        raise CommandError(f"no such model folder: {model}")
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import pipeline
    from transformers.utils import logging

    if arguments.quiet:
        logging.set_verbosity_error()
    if arguments.quiet or not sys.stderr.isatty():
        logging.disable_progress_bar()
    device = _available_device(arguments.device)
    try:
        # Typed for the built-in tasks alone.
        return pipeline("text-detection", model=model, device=device, dtype=arguments.dtype)  # type: ignore
    except (OSError, ValueError, RuntimeError, StrictDataclassError, SafetensorError) as error:
        # The last line of transformers' long texts names the cause.
        reason = str(error).strip().splitlines()[-1]
        raise CommandError(f"cannot load the model {_model_id(arguments)}: {reason}") from error


def _available_device(name: str) -> str | None:
    """The device for the pipeline: `None` lets it take the first accelerator, or else the CPU."""
    import torch

    if name == "auto":
        return None
    kind, _, index = name.partition(":")
    if kind == "cpu":
        return name
    backend = getattr(torch, kind)
    if not backend.is_available():
        raise CommandError(f"--device {name}: there is no {kind} device here, use --device cpu")
    if index and int(index) >= backend.device_count():
        raise CommandError(f"--device {name}: there are only {backend.device_count()} {kind} devices, from 0")
    return name


def _detect_all(
    detector: "TextDetectionPipeline",
    todo: list[ImageInput],
    writer: Writer,
    draw_folder: Path | None,
    arguments: argparse.Namespace,
) -> tuple[int, int]:
    """Write the records and pictures of all images; returns the number of texts and of unreadable images."""
    from tqdm import tqdm

    params = _effective_params(detector, arguments)
    model = {
        "id": _model_id(arguments),
        "dtype": str(detector.dtype).removeprefix("torch."),
        "device": str(detector.device),
    }
    if draw_folder is not None and not draw_folder.exists():
        # Only a folder that is ours alone: one that was there may hold photos too.
        draw_folder.mkdir(parents=True)
        (draw_folder / DRAWINGS_MARKER).touch()
    texts = 0
    failures: list[ImageInput] = []
    # The pipeline answers in order: each image that went in waits here for its answer.
    waiting: deque[tuple[ImageInput, np.ndarray]] = deque()
    hide_bar = arguments.quiet or not sys.stderr.isatty()
    with tqdm(total=len(todo), unit="image", file=sys.stderr, disable=hide_bar) as bar:

        def readable_images() -> Iterator["np.ndarray"]:
            for image in todo:
                try:
                    pixels = detector.image_processor.load_rgb_image(image.path)
                except Exception as error:  # decoders fail on broken files in many ways
                    failures.append(image)
                    reason = " ".join(str(error).split()) or type(error).__name__
                    bar.write(f"tcm-hf detect: skipped {image.path}: {reason}", file=sys.stderr)
                    bar.update()
                    continue
                waiting.append((image, pixels))
                yield pixels

        for detections in detector(
            readable_images(), batch_size=arguments.batch_size, **_asked_params(arguments)
        ):
            image, pixels = waiting.popleft()
            if draw_folder is not None:
                _save_drawing(draw_folder / f"{image.name}.jpg", pixels, detections)
            # After the picture: a record says that the image is done.
            writer.write(image, image_record(image.path, pixels.shape[:2], detections, model, params))
            texts += len(detections)
            bar.update()
    return texts, len(failures)


def _save_drawing(path: Path, pixels: "np.ndarray", detections: list[dict]) -> None:
    from tcm_hf.cli.atomic import whole_file
    from tcm_hf.cli.drawing import draw_detections

    with whole_file(path) as temporary:
        draw_detections(pixels, detections).save(temporary, quality=90)


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not a ratio of 0 or more")
    return value


def _tile(text: str) -> str | int:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 32:
        raise argparse.ArgumentTypeError(f"{text} is neither 'auto' nor a side of at least 32 pixels")
    return int(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|(cuda|xpu)(:\d+)?|mps", text):
        raise argparse.ArgumentTypeError(f"{text} is none of auto, cpu, cuda, cuda:0, mps, xpu")
    return text
