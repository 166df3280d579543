"""Other readers on the same pictures, for comparison: Tesseract (a program) and RapidOCR (a package).

Each reads words cut from photos (`read_words`) or whole photos (`read_photos`) and says with `identity` what
it is, so that `PeerCache` asks it only once for a picture. Both run on one thread unless told otherwise.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# The best for Tesseract of 32, 40, 48, 64 and 96 px on 200 crops of IIIT5K, within the noise; a margin of the
# border's colour around the crop costs it 3 to 10 points.
WORD_HEIGHT_PX = 64
PICTURES_A_PROCESS = 200


class Tesseract:
    """The program `tesseract` with its English data, as Debian packs it; many pictures a process.

    Words: `--psm 8` (one word), crops scaled to one height. Photos: `--psm 11` (sparse text), as they are.

    Args:
        threads: that it may use.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        program = shutil.which("tesseract")
        if program is None:
            raise ValueError(
                "Expected the program tesseract: not found. Install it (Debian: tesseract-ocr), or leave it "
                "out with --peers."
            )
        self.program = program
        version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[1]
        self.identity = f"tesseract {version}, height {WORD_HEIGHT_PX}"

    def read_words(self, crops: Sequence[np.ndarray]) -> list[str]:
        """The text of each crop, (H, W, 3) uint8 RGB; its parts are joined without a space."""
        rows = self._run([_scaled(crop) for crop in crops], page_mode=8)
        return ["".join(row["text"] for row in page) for page in rows]

    def read_photos(self, photos: Sequence[np.ndarray]) -> list[list[dict[str, Any]]]:
        """The words of each photo: `polygon` (a box's corners) and `text`."""
        return [
            [
                {"polygon": _corners(*(int(row[key]) for key in ("left", "top", "width", "height"))), **row}
                for row in page
            ]
            for page in self._run(photos, page_mode=11)
        ]

    def _run(self, pictures: Sequence[np.ndarray], page_mode: int) -> list[list[dict[str, str]]]:
        """The rows of tesseract's table that are words, a list a picture."""
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{index:06d}.png" for index in range(len(pictures))]
            for file, picture in zip(files, pictures, strict=True):
                cv2.imwrite(str(file), picture[..., ::-1])
            listing = Path(folder) / "pictures.txt"
            listing.write_text("".join(f"{file}\n" for file in files))
            process = subprocess.run(
                [self.program, str(listing), "stdout", "-l", "eng", "--psm", str(page_mode), "tsv"],
                capture_output=True,
                text=True,
                env={**os.environ, "OMP_THREAD_LIMIT": str(self.threads)},
            )
        if process.returncode:
            raise RuntimeError(f"tesseract failed: {process.stderr.strip()}")
        header, *lines = (line.split("\t") for line in process.stdout.splitlines())
        pages: list[list[dict[str, str]]] = [[] for _ in pictures]
        for line in lines:
            row = dict(zip(header, line, strict=False))
            if row.get("text", "").strip():
                pages[int(row["page_num"]) - 1].append(row)
        return pages


class RapidOCR:
    """The package `rapidocr` with the models in its wheel (PP-OCRv6 small), as it comes.

    Args:
        threads: of onnxruntime.
    """

    splits_lines = True
    """Whether it says where in its lines the words are."""

    def __init__(self, threads: int = 1) -> None:
        from rapidocr import RapidOCR as Engine

        self.identity = f"rapidocr {importlib.metadata.version('rapidocr')}"
        self.engine = Engine(
            params={
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read_words(self, crops: Sequence[np.ndarray]) -> list[str]:
        """The text of each crop, (H, W, 3) uint8 RGB, by the recogniser alone."""
        texts = []
        for crop in crops:
            result = self.engine(crop[..., ::-1].copy(), use_det=False, use_cls=False, use_rec=True)
            texts.append((result.txts or ("",))[0])
        return texts

    def read_photos(self, photos: Sequence[np.ndarray]) -> list[list[dict[str, Any]]]:
        """The texts of each photo: `polygon`, `text` and `score`."""
        pages = []
        for photo in photos:
            result = self.engine(
                photo[..., ::-1].copy(),
                use_det=True,
                use_cls=True,
                use_rec=True,
                return_word_box=self.splits_lines,
            )
            found = self.texts_of(result) if result.txts else []
            pages.append(
                [
                    {"polygon": np.asarray(polygon).tolist(), "text": text, "score": float(score)}
                    for text, score, polygon in found
                ]
            )
        return pages

    def texts_of(self, result: Any) -> list[tuple[str, float, Any]]:
        """The words: it finds lines, and says where in them their words are."""
        return [word for line in result.word_results for word in line]


class RapidOCRLines(RapidOCR):
    """The same with the lines that it finds, not cut into words: what it gives when nothing is asked for."""

    splits_lines = False

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
        self.identity += ", lines"

    def texts_of(self, result: Any) -> list[tuple[str, float, Any]]:
        """The lines."""
        return list(zip(result.txts, result.scores, result.boxes, strict=True))


WORD_READERS: dict[str, Callable[..., Any]] = {"tesseract": Tesseract, "rapidocr": RapidOCR}
PHOTO_READERS: dict[str, Callable[..., Any]] = {**WORD_READERS, "rapidocr-lines": RapidOCRLines}


def installed_peers() -> list[str]:
    """Which of `rapidocr` and `tesseract` can be asked on this machine."""
    is_there = {
        "rapidocr": importlib.util.find_spec("rapidocr") is not None,
        "tesseract": shutil.which("tesseract") is not None,
    }
    return [name for name, found in is_there.items() if found]


class PeerCache:
    """What peers have read, kept in a JSON file by peer, task and picture.

    Args:
        path: the file; it grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def knows(self, peer: Any, task: str, pictures: Sequence[np.ndarray]) -> bool:
        """Whether some of the answers come from the file; see `ask`."""
        known = self.answers.get(f"{task}: {peer.identity}", {})
        return any(_fingerprint(picture) in known for picture in pictures)

    def ask(self, peer: Any, task: str, pictures: Sequence[np.ndarray]) -> list[Any]:
        """What `peer` makes of the pictures; it is asked about new ones only.

        Args:
            peer: one of the readers above.
            task: "words" or "photos".
            pictures: (H, W, 3) uint8 RGB.
        """
        known = self.answers.setdefault(f"{task}: {peer.identity}", {})
        keys = [_fingerprint(picture) for picture in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in known}
        read = peer.read_words if task == "words" else peer.read_photos
        todo = list(new)
        for start in range(0, len(todo), PICTURES_A_PROCESS):
            part = todo[start : start + PICTURES_A_PROCESS]
            known.update(zip(part, read([new[key] for key in part]), strict=True))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.answers, ensure_ascii=False))
        return [known[key] for key in keys]


def _fingerprint(picture: np.ndarray) -> str:
    return hashlib.sha1(str(picture.shape).encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()


def _scaled(crop: np.ndarray) -> np.ndarray:
    height, width = crop.shape[:2]
    size = (max(round(width * WORD_HEIGHT_PX / height), 4), WORD_HEIGHT_PX)
    return cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)


def _corners(left: int, top: int, width: int, height: int) -> list[list[int]]:
    right, bottom = left + width, top + height
    return [[left, top], [right, top], [right, bottom], [left, bottom]]
