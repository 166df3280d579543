"""TCM-DBNet RN50 at 736x1280, milliseconds a photo: the published program's way, ours, and the limit.

    python benchmarks/speed_targets.py --threads 2

All ways take turns. The weights are random, so the polygons are decoded from the map that the shipped
detector gives for an example photo of the same size. "auto" is what `pipeline(task)` runs here; the limit is
the bare convolutional trunk, its batch norms folded, without pooling, text side, neck and head.
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from decode import DBNET
from harness import REPOSITORY, Stopwatch, machine, medians_ms, print_table
from PIL import Image
from upstream_way import UpstreamWay

from tcm_hf import TCMConfig, TCMForTextDetection, TCMImageProcessor, default_checkpoint
from tcm_hf.pipelines.picture_pipeline import fast_dtype
from tcm_hf.processing.decode_dbnet import decode_dbnet

PRESET, SIZE = "tcm-dbnet-r50-td500", {"height": 736, "width": 1280}
PHOTO = REPOSITORY / "examples" / "images" / "station.jpg"
STAGES = {
    "image tower: trunk": "model.image_tower.trunk",
    "image tower: pooling": "model.image_tower.attention_pool",
    "text tower": "model.text_tower",
    "visual prompt": "model.visual_prompter",
    "neck": "head.neck",
    "probability branch": "head.probability",
    "threshold branch": "head.threshold",
}


def shipped_map(pixel_values: torch.Tensor) -> np.ndarray:
    """The probability map of the shipped detector, (736, 1280)."""
    model = TCMForTextDetection.from_pretrained(default_checkpoint()).eval()
    return model(pixel_values).probability_map[0].numpy()


def shares(network: TCMForTextDetection, run, clock: Stopwatch) -> dict[str, float]:
    """Milliseconds of each of `STAGES` in one run, and of the rest."""
    modules = [(name, network.get_submodule(path)) for name, path in STAGES.items()]
    for name, module in modules:
        clock.watch(module, "forward", name)
    with clock.part("the rest"):
        run()
    for _, module in modules:
        del module.forward
    return {name: 1000 * seconds for name, seconds in clock.take().items()}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = TCMForTextDetection(TCMConfig.from_preset(PRESET)).eval()
    processor = TCMImageProcessor.from_pretrained(default_checkpoint(), size=SIZE)
    pixels = processor(Image.open(PHOTO).convert("RGB"), return_tensors="pt")["pixel_values"]
    found = shipped_map(pixels)
    settings = DBNET["TD500, quad"] | {"binarize_threshold": 0.3}
    upstream, dtype = UpstreamWay(model), fast_dtype(model.device)
    folded, auto = model.inference_copy(), model.inference_copy(dtype)
    trunks = [copy.model.image_tower.trunk for copy in (folded, auto)]
    laid_out = pixels.contiguous(memory_format=torch.channels_last)
    networks = {
        "the published program's way, float32": (partial(upstream.maps, pixels), upstream.polygons),
        'ours, dtype="float32"': (partial(model, laid_out), decode_dbnet),
        "ours, auto where there is no bfloat16: float32, norms folded": (
            partial(folded, laid_out),
            decode_dbnet,
        ),
        f'ours, dtype="auto" here: {str(dtype or torch.float32).removeprefix("torch.")}': (
            partial(auto, laid_out),
            decode_dbnet,
        ),
        "limit: bare trunk, float32": (partial(trunks[0], laid_out), None),
        "limit: bare trunk, auto": (partial(trunks[1], laid_out), None),
    }
    clock = time.perf_counter
    times = medians_ms({name: run for name, (run, _) in networks.items()}, arguments.repeats, clock)
    decoders = {
        "plain": partial(upstream.polygons, found, settings),
        "ours": partial(decode_dbnet, found, **settings),
    }
    decoding = medians_ms(decoders, 5, clock)
    first = next(iter(times.values())) + decoding["plain"]
    rows = []
    for name, (_, decoder) in networks.items():
        took = decoding["plain" if decoder is upstream.polygons else "ours"] if decoder else 0.0
        total = times[name] + took
        rows.append((name, times[name], took or "", total, f"{first / total:.2f}"))
    print(f"{PRESET}, {pixels.shape[-2]}x{pixels.shape[-1]}, {arguments.threads} thread(s); {machine()}\n")
    print_table(("way", "network, ms", "decoding, ms", "total, ms", "times faster"), rows)
    print()
    watch = Stopwatch()
    plain = shares(model, networks["the published program's way, float32"][0], watch)
    ours = shares(auto, partial(auto, laid_out), watch)
    names = (*STAGES, "the rest")
    table = [(name, *(_with_share(part.get(name, 0.0), part) for part in (plain, ours))) for name in names]
    print_table(("stage, ms (share)", "the published program's way", "ours, auto"), table)


def _with_share(value: float, parts: dict[str, float]) -> str:
    return f"{value:.0f} ({value / sum(parts.values()):.0%})" if value else ""


if __name__ == "__main__":
    main()
