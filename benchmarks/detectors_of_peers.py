"""Milliseconds of the networks alone, at 736x1280: our detectors, and PP-OCRv5's as transformers has them.

    python benchmarks/detectors_of_peers.py --threads 1 2

PP-OCRv5 and TCM-DBNet RN50 have random weights: only their speed counts here. The peers' second column is
what a user of them could do by hand: bfloat16, channels last.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory

import torch
import transformers
from harness import machine, medians_ms, print_table
from stages import RN50, RN50_SIZE
from transformers import pipeline

from tcm_hf import TCMConfig, TCMForTextDetection, TCMImageProcessor

DTYPES = ("float32", "auto")


def ours(model: str | None, dtype: str) -> torch.nn.Module:
    """The network that `pipeline("text-detection")` runs."""
    return pipeline("text-detection", model=model, device="cpu", dtype=dtype).network


def rn50(dtype: str) -> torch.nn.Module:
    """The papers' detector on CLIP's ResNet-50."""
    with TemporaryDirectory() as folder:
        TCMForTextDetection(TCMConfig.from_preset(RN50)).save_pretrained(folder)
        TCMImageProcessor.from_preset(RN50).save_pretrained(folder)
        return ours(folder, dtype)


def pp_ocr(name: str, dtype: str, **settings) -> torch.nn.Module:
    """A detector of PP-OCR in the settings that are published."""
    config = getattr(transformers, f"{name}Config")(**settings)
    model = getattr(transformers, f"{name}ForObjectDetection")(config).eval()
    return model if dtype == "float32" else model.to(torch.bfloat16, memory_format=torch.channels_last)


def server_settings() -> dict:
    """What the class of the server's detector leaves open (transformers 5.23): kernels tell their names."""
    blocks: dict[str, list] = {"reduce_channel": [1, 1, 0], "return_channel": [1, 1, 0]}
    for ratio, size in (("long", 7), ("mid", 5), ("short", 3)):
        blocks[f"vertical_long_to_small_conv_{ratio}ratio"] = [(size, 1), 1, (size // 2, 0)]
        blocks[f"horizontal_small_to_long_conv_{ratio}ratio"] = [(1, size), 1, (0, size // 2)]
        blocks[f"symmetric_conv_long_{ratio}ratio"] = [size, 1, size // 2]
    return {
        "intraclass_block_config": blocks,
        "scale_factor_list": [1, 2, 4, 8],
        "kernel_list": [3, 2, 2],
    }


DETECTORS: dict[str, Callable[[str], torch.nn.Module]] = {
    "fasttcm-dbnet-tiny, ships": partial(ours, None),
    "PP-OCRv5 mobile": partial(pp_ocr, "PPOCRV5MobileDet"),
    "TCM-DBNet RN50": rn50,
    "PP-OCRv5 server": lambda dtype: pp_ocr("PPOCRV5ServerDet", dtype, **server_settings()),
}


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="thread counts (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each (%(default)s)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    picture = torch.randn(1, 3, RN50_SIZE["height"], RN50_SIZE["width"])
    runs, millions = {}, {}
    for name, make in DETECTORS.items():
        for dtype in DTYPES:
            network = make(dtype).eval()
            millions[name] = sum(parameter.numel() for parameter in network.parameters()) / 1e6
            pixels = picture if dtype == "float32" else picture.to(memory_format=torch.channels_last)
            taken = getattr(network, "input_dtype", network.dtype)
            runs[name, dtype] = partial(network, pixel_values=pixels.to(taken))
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        times = medians_ms(runs, arguments.repeats, time.perf_counter)
        rows += [
            (threads, name, f"{millions[name]:.1f}", *(times[name, dtype] for dtype in DTYPES))
            for name in DETECTORS
        ]
    print(f"1 picture of {RN50_SIZE['height']}x{RN50_SIZE['width']}; {machine()}\n")
    print_table(("threads", "network", "parameters, M", "float32, ms", "bfloat16, ms"), rows)


if __name__ == "__main__":
    main()
