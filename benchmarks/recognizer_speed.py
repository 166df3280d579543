"""Milliseconds a word of CLIP4STR, beside a plain loop that works as the published program does.

    python benchmarks/recognizer_speed.py
    python benchmarks/recognizer_speed.py --threads 1 2 --dtypes float32 bfloat16 --batches 1 8

The model is CLIP4STR-B/16 with seeded random weights that never end a word: 26 steps in both branches and
one refinement, the most work there can be. The plain loop projects the image tokens again at every step,
builds captions character by character in Python, and runs the text tower on all captions twice; its towers
are those of transformers and its attention is PyTorch's module. Both must read the same strings in float32.
"outside the tower" is the share of the time that is not the image tower's.
"""

import argparse
import time
from functools import partial

import torch
from harness import machine, medians_ms, print_table
from plain_clip4str import PlainReader
from torch import nn

from tcm_hf import CLIP4STRConfig, CLIP4STRForTextRecognition
from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary


def seeded_model(preset: str) -> CLIP4STRForTextRecognition:
    """The network of a preset with random weights whose words differ from image to image and never end."""
    config = CLIP4STRConfig.from_preset(preset)
    model = CLIP4STRForTextRecognition(config).eval()
    model.set_caption_vocabulary(*load_clip_vocabulary())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                continue
            is_table = "embed" in name or "pos_queries" in name
            scale = 0.5 if is_table else parameter[0].numel() ** -0.5
            parameter.normal_(generator=generator).mul_(scale)
        for decoder in (model.visual_decoder, model.cross_decoder):
            nn.init.constant_(decoder.head.bias[config.end_id : config.end_id + 1], -1e3)
    return model


def words(model: CLIP4STRForTextRecognition, logits: torch.Tensor) -> list[str]:
    """What the logits say, for comparison only."""
    charset = model.config.charset
    return ["".join(charset[i - 1] for i in row if i) for row in logits.argmax(-1).tolist()]


def batch_times(
    model: CLIP4STRForTextRecognition, plain: PlainReader | None, batch: int, repeats: int
) -> tuple[dict[str, float], bool | None]:
    """Milliseconds a word of the tower, of the whole, and of the plain loop; whether their strings agree."""
    generator = torch.Generator().manual_seed(batch)
    pixel_values = torch.randn(batch, 3, *model.config.image_size_hw, generator=generator).to(model.dtype)
    functions = {"tower": partial(model.image_memories, pixel_values), "ours": partial(model, pixel_values)}
    agree = None
    if plain is not None:
        functions["plain"] = partial(plain, pixel_values)
        functions["plain tower"] = partial(plain.model.image_memories, pixel_values)
        agree = words(model, model(pixel_values).logits) == words(model, plain(pixel_values))
    # CPU time is not disturbed by other programs, but counts every thread.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found = medians_ms(functions, repeats, clock)
    return {name: value / batch for name, value in found.items()}, agree


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="clip4str-base", help="network (%(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="batch sizes (%(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="thread counts (%(default)s)")
    parser.add_argument(
        "--dtypes",
        nargs="+",
        default=["float32", "bfloat16"],
        help="number types, float32 first (%(default)s)",
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each (%(default)s)")
    arguments = parser.parse_args()
    model = seeded_model(arguments.preset)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(f"{arguments.preset}, {millions:.0f} M parameters; {machine()}\n")
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        plain_ms: dict[int, float] = {}
        for dtype in arguments.dtypes:
            model.to(getattr(torch, dtype))
            plain = PlainReader(model) if dtype == "float32" else None
            for batch in arguments.batches:
                found, agree = batch_times(model, plain, batch, arguments.repeats)
                plain_ms.setdefault(batch, found.get("plain", float("nan")))
                rows.append(
                    (
                        threads,
                        dtype,
                        batch,
                        found["tower"],
                        found["ours"],
                        f"{1 - found['tower'] / found['ours']:.0%}",
                        plain_ms[batch],
                        f"{1 - found['plain tower'] / found['plain']:.0%}" if plain else "",
                        plain_ms[batch] / found["ours"],
                        {True: "the same", False: "DIFFERENT", None: ""}[agree],
                    )
                )
        model.float()
    print_table(
        (
            "threads",
            "dtype",
            "batch",
            "image tower, ms",
            "whole, ms",
            "outside the tower",
            "plain loop in float32, ms",
            "its share outside",
            "times faster",
            "strings",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
