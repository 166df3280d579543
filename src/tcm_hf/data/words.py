"""Single words: the record type, and the LMDB layout that scene text recognition data sets come in.

The layout is that of the scene text recognition benchmarks (MJSynth, SynthText, Union14M, …): the keys
`num-samples`, `image-%09d` and `label-%09d`, counted from 1, labels in UTF-8, images encoded (JPEG or PNG).
"""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from tcm_hf.data.lazy_sequence import LazySequence
from tcm_hf.data.records import DO_NOT_CARE, TextRecord
from tcm_hf.data.some_records import SomeRecords
from tcm_hf.processing.image_loading import load_rgb_image
from tcm_hf.processing.word_crops import rectify_word

__all__ = [
    "LMDBWords",
    "WordRecord",
    "append_lmdb",
    "encode_word",
    "word_crops",
    "words_with_texts",
    "write_lmdb",
]

# The first size of a data base's map; it is doubled whenever it is full.
_MAP_BYTES = 1 << 28
_WORDS_A_TRANSACTION = 1000
_FREE_PAGES = 64


@dataclass
class WordRecord:
    """The picture of one word and what it says.

    Args:
        image: A file path (read lazily), a PIL image, an RGB array (H, W, 3) uint8, or the bytes of an
            encoded image (JPEG, PNG, …).
        text: The transcription.
        name: A short name for logs and result files; taken from the path when not given.
    """

    image: Path | Image.Image | np.ndarray | bytes
    text: str
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.image, str | os.PathLike):
            self.image = Path(self.image)
            self.name = self.name or self.image.name

    def load_image(self) -> np.ndarray:
        """Read the pixels.

        Returns:
            Array (H, W, 3), uint8, RGB, EXIF-upright; what is transparent is white.

        Raises:
            ValueError: If an array image is not (H, W, 3) uint8, or a file or bytes cannot be read as an
                image.
        """
        if not isinstance(self.image, bytes):
            return TextRecord(self.image, name=self.name).load_image()
        try:
            return np.ascontiguousarray(np.asarray(load_rgb_image(self.image), dtype=np.uint8))
        except ValueError as error:
            raise ValueError(
                f"{self.name or 'A word'} ({self.text!r}): expected an encoded image, got {len(self.image)} "
                f"bytes that cannot be decoded ({error}). Leave the sample out, or write the data set again."
            ) from error


class LMDBWords(LazySequence[WordRecord]):
    """The words of an LMDB in the layout of the benchmarks; nothing is decoded until it is asked for.

    The data base is opened when a process first reads from it, so an object may be handed to (forked or
    spawned) DataLoader workers. Words that are added later are not seen: the number is that of the beginning.

    Args:
        path: The folder that holds `data.mdb`, or the path of a single-file data base.

    Raises:
        ImportError: If lmdb is not installed.
        ValueError: If there is no such data base, or it has no `num-samples`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._location = self.path.resolve()
        _close_replaced(self._location)
        count = self._read(b"num-samples")
        if count is None or not count.strip().isdigit():
            came = "no such key" if count is None else f"{count[:20]!r}"
            raise ValueError(
                f"{self.path}: expected an LMDB of words with the key num-samples (a number): got {came}. "
                "`tcm_hf.data.words.write_lmdb` writes such a data base."
            )
        self._count = int(count)

    def __len__(self) -> int:
        return self._count

    def _item(self, place: int) -> WordRecord:
        """One word.

        Raises:
            ValueError: If the data base lacks the image or the label, or the label is no UTF-8.
        """
        number = place + 1
        return WordRecord(
            self._required(f"image-{number:09d}"), self.text(place), f"{self.path.name}/{number:09d}"
        )

    def text(self, index: int) -> str:
        """The label of a place without reading its image.

        Raises:
            ValueError: If the data base lacks the label, or it is no UTF-8.
        """
        key = f"label-{index % len(self) + 1:09d}"
        try:
            return self._required(key).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}: expected UTF-8 text at {key} ({error}).") from error

    def _required(self, key: str) -> bytes:
        value = self._read(key.encode())
        if value is None:
            raise ValueError(
                f"{self.path}: the key {key} is missing, although num-samples is {len(self)}: "
                "the data base is not complete. Write or fetch it again."
            )
        return value

    def have_texts(self) -> Iterator[bool]:
        """Of each word whether it has a transcription; a label that is missing is told when it is read."""
        with self._begin() as transaction:
            for number in range(1, len(self) + 1):
                yield transaction.get(f"label-{number:09d}".encode()) not in (b"", DO_NOT_CARE.encode())

    def _read(self, key: bytes) -> bytes | None:
        with self._begin() as transaction:
            return transaction.get(key)

    def _begin(self) -> Any:
        environment = _open_once(self._location)
        try:
            return environment.begin()
        except _lmdb().MapResizedError:
            environment.set_mapsize(0)  # somebody has added to it: take over the new size
            return environment.begin()


def words_with_texts(words: Sequence[WordRecord], have_texts: Iterable[bool]) -> Sequence[WordRecord]:
    """The words but for those without a transcription (none, an empty one, "###"); nothing is copied.

    Args:
        words: A collection.
        have_texts: Of each word whether it has one.
    """
    places = array("q", (place for place, has_text in enumerate(have_texts) if has_text))
    return words if len(places) == len(words) else SomeRecords(words, places)


def write_lmdb(path: Path | str, records: Iterable[WordRecord], jpeg_quality: int = 90) -> int:
    """Write words as an LMDB in the layout of the benchmarks; it appears whole or not at all.

    Args:
        path: The folder to make; an LMDB that is there already is replaced when the new one is complete.
        records: The words. Bytes and the bytes of JPEG and PNG files are stored as they are, everything else
            as JPEG.
        jpeg_quality: 1..100.

    Returns:
        How many words were written.

    Raises:
        ImportError: If lmdb is not installed.
        ValueError: If `path` is there and is no LMDB, or an image cannot be read.
    """
    path = Path(path)
    if path.exists() and not (path / "data.mdb").is_file():
        raise ValueError(f"{path} is there and is no LMDB: give another path, or remove it first.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        count = append_lmdb(temporary, records, jpeg_quality)
        if path.exists():
            _close_readers(path.resolve())
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return count


def append_lmdb(path: Path | str, records: Iterable[WordRecord], jpeg_quality: int = 90) -> int:
    """Add words to an LMDB, which is made when it is not there.

    Every 1000 words are one transaction that also counts them in `num-samples`: a process that is killed
    leaves a smaller but complete data base, and one that fails or is interrupted loses nothing.

    Args:
        path: The folder of the data base.
        records: The words, as in `write_lmdb`.
        jpeg_quality: 1..100.

    Returns:
        How many words the data base has now.
    """
    _close_readers(Path(path).resolve())
    environment = _lmdb().open(str(path), map_size=_MAP_BYTES)
    with environment:
        with environment.begin() as transaction:
            count = int(transaction.get(b"num-samples", b"0"))
        batch: list[tuple[bytes, bytes]] = []
        try:
            for record in records:
                batch.append((encode_word(record, jpeg_quality), record.text.encode("utf-8")))
                if len(batch) == _WORDS_A_TRANSACTION:
                    count, batch = _commit(environment, batch, count), []
        finally:  # what was made before an error or Ctrl-C is kept
            count = _commit(environment, batch, count)
    return count


def word_crops(
    records: Iterable[TextRecord],
    margin: float = 0.0,
    min_height_px: float = 4.0,
) -> Iterator[WordRecord]:
    """Cut the legible words out of annotated photos, at the photo's own resolution.

    They are made straight like the words that a detector finds, see `rectify_word`. The annotated order of
    the points is kept: a word that runs downwards is upright in its crop.

    Args:
        records: Photos with polygons and transcriptions.
        margin: What is cut around the polygon, as a share of the word's height; negative cuts into it.
        min_height_px: Words lower than this are left out, and those without area or outside of the photo.

    Yields:
        One record a word that is neither "do not care" nor without a transcription.
    """
    for record in records:
        legible = [
            (number, instance)
            for number, instance in enumerate(record.instances, start=1)
            if not instance.ignore and instance.text not in (None, "", DO_NOT_CARE)
        ]
        if not legible:
            continue
        image = record.load_image()
        for number, instance in legible:
            try:
                crop = rectify_word(image, instance.polygon_xy, margin)
            except ValueError:  # labels of real corpora hold lines and points, too
                continue
            if crop.shape[0] >= min_height_px * (1 + 2 * margin) and crop.shape[1] > 1:
                yield WordRecord(crop, str(instance.text), f"{Path(record.name).stem}_{number}")


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise ImportError(
            "Reading and writing LMDB data sets needs the package lmdb: "
            'install it with `pip install "tcm_hf[words]"`.'
        ) from error
    return lmdb


_open_in: dict[int, dict[Path, _Reader]] = {}


class _Reader(NamedTuple):
    environment: Any
    file: tuple[int, int] | None


def _file_of(path: Path) -> tuple[int, int] | None:
    """What tells the file of a data base from any other; None where it is not there."""
    try:
        status = (path / "data.mdb" if path.is_dir() else path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_once(path: Path) -> Any:
    """The open data base: LMDB opens none twice in one process, and several objects may read from it."""
    process = os.getpid()
    if process not in _open_in:
        # A data base opened before a fork must not be used after it (LMDB's documentation, "Caveats"); and
        # it counts as open as long as anybody holds it.
        _open_in.clear()
        _open_in[process] = {}
    if path not in _open_in[process]:
        _open_in[process][path] = _Reader(_open_for_reading(path), _file_of(path))
    return _open_in[process][path].environment


def _close_replaced(path: Path) -> None:
    """Close a data base that this process reads from where another one lies in its place now."""
    reader = _open_in.get(os.getpid(), {}).get(path)
    if reader is not None and reader.file != _file_of(path):
        _close_readers(path)


def _close_readers(path: Path) -> None:
    """Close a data base that this process reads from; whoever reads again opens it anew."""
    reader = _open_in.get(os.getpid(), {}).pop(path, None)
    if reader is not None:
        reader.environment.close()


def _open_for_reading(path: Path) -> Any:
    lmdb = _lmdb()
    single_file = path.is_file()
    if not single_file and not (path / "data.mdb").is_file():
        raise ValueError(
            f"{path}: expected an LMDB, a folder with data.mdb: there is none. "
            "Give the folder of the data set itself, not the one above it."
        )
    try:
        environment = lmdb.open(
            str(path),
            subdir=not single_file,
            readonly=True,
            lock=False,
            readahead=False,
            meminit=False,
            max_readers=1,
        )
    except lmdb.Error as error:
        raise ValueError(f"{path}: expected an LMDB: it cannot be opened ({error}).") from error
    # LMDB reads by looking into memory where the file should be: behind its end that ends the process. The
    # last pages of a sound one may be free, and not be there.
    page_bytes = environment.stat()["psize"]
    expected = (environment.info()["last_pgno"] + 1) * page_bytes
    there = (path if single_file else path / "data.mdb").stat().st_size
    if there < expected - _FREE_PAGES * page_bytes:
        environment.close()
        raise ValueError(
            f"{path}: expected an LMDB of {expected} bytes, got {there}: it is cut off. Fetch it again."
        )
    return environment


def encode_word(record: WordRecord, jpeg_quality: int = 90) -> bytes:
    """The bytes of a word's image: its own where it has some (or a JPEG or PNG file), else a new JPEG."""
    if isinstance(record.image, bytes):
        return record.image
    if isinstance(record.image, Path) and record.image.suffix.lower() in (".jpg", ".jpeg", ".png"):
        return record.image.read_bytes()
    bgr = cv2.cvtColor(record.load_image(), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return data.tobytes()


def _commit(environment: Any, batch: list[tuple[bytes, bytes]], count: int) -> int:
    """Write a batch behind `count` words, all of it or nothing; returns how many words there are then."""
    while True:
        try:
            with environment.begin(write=True) as transaction:
                for number, (image, label) in enumerate(batch, start=count + 1):
                    transaction.put(f"image-{number:09d}".encode(), image)
                    transaction.put(f"label-{number:09d}".encode(), label)
                transaction.put(b"num-samples", str(count + len(batch)).encode())
            return count + len(batch)
        except _lmdb().MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])
