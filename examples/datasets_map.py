"""Read the words of a Hugging Face dataset with `datasets.map`. Copy this file and change it.

    python datasets_map.py imagefolder photos out                 (a folder of pictures)
    python datasets_map.py USER/DATASET "" out --column image     (a dataset of the Hub)

The result is the dataset with one column more, "words"; `datasets.load_from_disk("out")` gives it back.
"""

import argparse
from typing import Any

import datasets
from transformers import pipeline

import tcm_hf  # noqa: F401  (makes the task known)


class WordReader:
    """Called with a batch of rows. The models are loaded once in each process that `map` starts.

    Args:
        column: Where the pictures are.
    """

    def __init__(self, column: str):
        self.column = column
        self._reader: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # What `datasets` sends to its processes, and remembers a finished `map` by.
        return {"column": self.column, "_reader": None}

    def __call__(self, batch: dict[str, list]) -> dict[str, list]:
        """The words of each picture, in the order of reading: text, score, polygon."""
        if self._reader is None:
            self._reader = pipeline("text-spotting")
        names = ("text", "score", "polygon")
        found = self._reader(batch[self.column])
        return {"words": [[{name: word[name] for name in names} for word in words] for words in found]}


def main(argv: list[str] | None = None) -> None:
    """Load, read, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="a name that datasets.load_dataset knows")
    parser.add_argument("folder", help="its data_dir; empty for a dataset of the Hub")
    parser.add_argument("output")
    parser.add_argument("--column", default="image")
    parser.add_argument("--split", default="train")
    parser.add_argument("--processes", type=int, default=None)
    arguments = parser.parse_args(argv)
    photos = datasets.load_dataset(
        arguments.dataset, data_dir=arguments.folder or None, split=arguments.split
    ).cast_column(arguments.column, datasets.Image(mode="RGB"))
    words = [
        {
            "text": datasets.Value("string"),
            "score": datasets.Value("float64"),
            "polygon": [[datasets.Value("float64")]],
        }
    ]
    read = photos.map(
        WordReader(arguments.column),
        batched=True,
        batch_size=16,
        num_proc=arguments.processes,
        # Named, as a dataset without any word does not show what a word is.
        features=datasets.Features({**photos.features, "words": words}),
    )
    read.save_to_disk(arguments.output)
    count = sum(len(of_photo) for of_photo in read["words"])
    print(f"{count} words in {len(read)} photos; results in {arguments.output}")


if __name__ == "__main__":
    main()
