"""Milliseconds a photo of every stage: of the shipped reader, and of TCM-DBNet RN50 at 736x1280.

    python benchmarks/stages.py
    python benchmarks/stages.py --photos ../shared/data/ic15-train:901-908 --threads 1 2 --dtypes float32 auto

The pipelines run as a user calls them, from the file on; a clock is put around the methods of a stage. The
RN50 has random weights, so its polygons are decoded from the shipped detector's maps, which are as large.
"""

import statistics
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import torch
from harness import Stopwatch, machine, print_table
from photo_arguments import photo_paths, timing_parser
from transformers import pipeline

from tcm_hf import TCMConfig, TCMForTextDetection, TCMImageProcessor, default_checkpoint

STAGES = (
    "decode image",
    "preprocess",
    "image tower",
    "prompts and matching",
    "neck + head",
    "decode polygons",
    "crop words",
    "recognise",
    "the rest",
)
AROUND_THE_MODEL = ("decode image", "preprocess", "decode polygons")
RN50 = "tcm-dbnet-r50-td500"
RN50_SIZE = {"height": 736, "width": 1280}


def watch_detector(clock: Stopwatch, detector: Any) -> None:
    """Put the clock around the stages of a detecting pipeline."""
    network = getattr(detector, "network", detector.model)
    clock.watch(detector.image_processor, "load_rgb_image", "decode image")
    clock.watch(detector.image_processor, "preprocess", "preprocess")
    clock.watch(network.model, "forward", "prompts and matching")
    clock.watch(network.model.image_tower, "forward", "image tower")
    clock.watch(network.head, "forward", "neck + head")
    clock.watch(detector.image_processor, "post_process_tiles", "decode polygons")


def make_reader(clock: Stopwatch, dtype: str, photos: Sequence[str]) -> Callable[[str], Any]:
    """The shipped reader."""
    reader = pipeline("text-spotting", device="cpu", dtype=dtype)
    watch_detector(clock, reader)
    clock.watch(reader.image_processor, "crop_words", "crop words")
    clock.watch(reader.recognizer.processor.image_processor, "preprocess", "recognise")
    clock.watch(reader.recognizer, "forward", "recognise")
    return reader


def make_rn50(clock: Stopwatch, dtype: str, photos: Sequence[str]) -> Callable[[str], Any]:
    """TCM-DBNet RN50 with random weights, whose maps are replaced by those of the shipped detector."""
    shipped = pipeline("text-detection", device="cpu", dtype="float32")
    processor = TCMImageProcessor.from_pretrained(default_checkpoint(), size=RN50_SIZE)
    with TemporaryDirectory() as folder:
        torch.manual_seed(0)
        TCMForTextDetection(TCMConfig.from_preset(RN50)).save_pretrained(folder)
        processor.save_pretrained(folder)
        detector = pipeline("text-detection", model=folder, device="cpu", dtype=dtype)
    maps = {}
    for photo in photos:
        pixel_values = processor(processor.load_rgb_image(photo), return_tensors="pt")["pixel_values"]
        maps[photo] = processor.split_images(shipped.model(pixel_values))
    watch_detector(clock, detector)

    def run(photo: str) -> Any:
        detector.image_processor.split_images = lambda outputs: maps[photo]
        return detector(photo)

    return run


MODELS = {"The shipped reader": make_reader, f"TCM-DBNet RN50, {RN50_SIZE['height']}x1280": make_rn50}


def stage_times(
    make: Callable[[Stopwatch, str, Sequence[str]], Callable[[str], Any]],
    photos: Sequence[str],
    threads: Sequence[int],
    dtypes: Sequence[str],
    repeats: int,
) -> dict[tuple[int, str], dict[str, float]]:
    """(threads, dtype) -> milliseconds of each stage: the mean of every photo's median; they take turns."""
    clock = Stopwatch()
    runs = {dtype: make(clock, dtype, photos) for dtype in dtypes}
    seconds: dict[tuple[int, str], list[list[dict[str, float]]]] = {
        (count, dtype): [[] for _ in photos] for count in threads for dtype in dtypes
    }
    for dtype in dtypes:  # the first photo of a size is slower
        runs[dtype](photos[0])
    for _ in range(repeats):
        for index, photo in enumerate(photos):
            for (count, dtype), of_photos in seconds.items():
                torch.set_num_threads(count)
                cv2.setNumThreads(count)
                clock.take()
                with clock.part("the rest"):
                    runs[dtype](photo)
                of_photos[index].append(clock.take())
    return {
        key: {
            stage: 1000
            * statistics.mean(
                statistics.median(run.get(stage, 0.0) for run in of_photo) for of_photo in of_photos
            )
            for stage in STAGES
        }
        for key, of_photos in seconds.items()
    }


def print_stages(times: dict[tuple[int, str], dict[str, float]]) -> None:
    """A row a stage, two columns a way of running."""
    totals = {key: sum(of_stage.values()) for key, of_stage in times.items()}
    rows: list[list[Any]] = [
        [
            stage,
            *(
                value
                for key, of_stage in times.items()
                for value in (of_stage[stage], f"{100 * of_stage[stage] / totals[key]:.0f} %")
            ),
        ]
        for stage in STAGES
        if any(of_stage[stage] for of_stage in times.values())
    ]
    around = [sum(of_stage[stage] for stage in AROUND_THE_MODEL) for of_stage in times.values()]
    for name, values in (("**all**", totals.values()), ("image + preprocess + polygons", around)):
        cells = [
            (value, f"{100 * value / total:.1f} %")
            for value, total in zip(values, totals.values(), strict=True)
        ]
        rows.append([name, *(cell for pair in cells for cell in pair)])
    columns = [f"{dtype}, {count} thread{'s'[: count > 1]}, ms" for count, dtype in times]
    print_table(("stage", *(cell for column in columns for cell in (column, "share"))), rows)


@torch.inference_mode()
def main() -> None:
    arguments = timing_parser(__doc__, repeats=3).parse_args()
    photos = photo_paths(arguments.photos)
    print(f"{len(photos)} photos of {arguments.photos}; {machine()}")
    for name, make in MODELS.items():
        print(f"\n{name}:\n")
        print_stages(stage_times(make, photos, arguments.threads, arguments.dtypes, arguments.repeats))


if __name__ == "__main__":
    main()
