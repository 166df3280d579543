"""Find fonts on this machine and know which characters each of them can draw."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

import numpy as np
from PIL import ImageFont, features

from tcm_hf.data.synthetic.words import word_characters

SYSTEM_FONT_DIRS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
FONT_SUFFIXES = (".ttf", ".otf", ".ttc")

# Families whose "letters" are pictograms, boxes, or shapes that no reader takes for text.
NOT_TEXT_FAMILIES = re.compile(
    r"symbol|dingbat|emoji|icon|weather|braille|music|math(?!ematical)|linex|circos|lastresort|fallback|blank"
    r"|barcode|sym\b|signwriting|chess|d050000l|adobeblank|pautad|lignes|futhark|klingon|ocr.*bi?i$|ocrai?$"
    r"|biolinum_?k|keyboard|ellen|elegit|elegbold",
    re.IGNORECASE,
)

# Plain sans-serif designs, the letters of most signs: half of all draws (where one is installed).
SIGN_FAMILIES = re.compile(
    r"liberationsans|dejavusans|roboto|lato|opensans|notosans$|freesans|nimbussans|carlito|cabin|cantarell"
    r"|montserrat|oswald|bebas|leaguespartan|play|karla|dosis|manrope|gillius|universalis|comfortaa|urwgothic"
    r"|yanone|nationalpark|exo|sora|switzera|b612|notosanscjk|nanumgothic|ungothic|wqy|vl|ubuntu|arimo",
    re.IGNORECASE,
)

INSTALL_HINT = (
    "Install some, e.g. `apt-get install fonts-dejavu fonts-liberation fonts-freefont-ttf fonts-noto-core "
    "fonts-roboto fonts-lato fonts-open-sans`, or give folders of .ttf / .otf files (`--fonts DIR …`)."
)

# What a face must cover before any word of the script is drawn with it.
SCRIPT_PROBES = {
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,-",
    "greek": "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρσςτυφχψω",
    "cyrillic": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЫЬЮЯабвгдежзийклмнопрстуфхцчшщыьюя",
    "chinese": "中国大小店出口人民路",
    "japanese": "アイウエオカキクケコのはをンっャ駅口",
    "korean": "가나다라마바사아자한국식당",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "devanagari": "अआइकखगघचजटडतथदनपबमयरलवसहािीुेो",
}
# East Asian fonts draw these one letter a square, so that words fall apart.
HALF_WIDTH_SCRIPTS = ("greek", "cyrillic")
# The code points that are looked up in a font, sorted.
ALPHABET = np.array(sorted(map(ord, word_characters().union(*SCRIPT_PROBES.values()))), dtype=np.int64)
# These need glyph shaping (joining, reordering), which Pillow does only through libraqm.
SHAPED_SCRIPTS = ("arabic", "devanagari")


@dataclass(frozen=True)
class FontFace:
    """One face of a font file.

    Args:
        path: The font file, or None for the face built into Pillow.
        index: Which face of a collection (.ttc).
        family: The file's base name up to the style ("NotoSans-Bold" gives "NotoSans").
        characters: The code points of `ALPHABET` that the face maps to a glyph.
    """

    path: Path | None
    index: int
    family: str
    characters: frozenset[int]

    def covers(self, text: str) -> bool:
        """Whether every character of the text has a glyph (spaces aside)."""
        return all(ord(character) in self.characters for character in text if not character.isspace())

    def at_size(self, size_px: int) -> ImageFont.FreeTypeFont:
        """The face at an em size in pixels (cached)."""
        return _load_face(str(self.path) if self.path else "", self.index, size_px)


def builtin_face() -> FontFace:
    """The TrueType face that Pillow carries: basic Latin only, there on every machine."""
    return FontFace(None, 0, "builtin", frozenset(range(0x21, 0x7F)).intersection(ALPHABET.tolist()))


def find_font_files(folders: Sequence[Path | str] | None = None) -> list[Path]:
    """List font files, sorted.

    Args:
        folders: Where to look, recursively; None looks into the system's and the user's font folders.

    Raises:
        ValueError: If a given folder does not exist or holds no font.
    """
    if folders is None:
        roots = [Path(root).expanduser() for root in SYSTEM_FONT_DIRS]
    else:
        roots = [Path(root).expanduser() for root in folders]
        for root in roots:
            if not root.is_dir():
                raise ValueError(f"Expected a folder of fonts: {root} is not a folder. {INSTALL_HINT}")
    found = {
        path
        for root in roots
        if root.is_dir()
        for path in root.rglob("*")
        if path.suffix.lower() in FONT_SUFFIXES and path.is_file()
    }
    if folders is not None and not found:
        raise ValueError(
            f"Found no font file ({', '.join(FONT_SUFFIXES)}) under {[str(root) for root in roots]}. "
            + INSTALL_HINT
        )
    return sorted(found)


class FontLibrary:
    """The usable faces of a machine, by script.

    A face is drawn by family first, so that a family of forty weights is no more frequent than one of two.

    Args:
        faces: The faces to draw with.

    Raises:
        ValueError: If no face covers any script.
    """

    def __init__(self, faces: Iterable[FontFace]) -> None:
        self._families: dict[str, list[list[FontFace]]] = {}
        self._sign_families: dict[str, list[list[FontFace]]] = {}
        faces = list(faces)
        for script, probe in SCRIPT_PROBES.items():
            if script in SHAPED_SCRIPTS and not features.check("raqm"):
                continue
            families: dict[str, list[FontFace]] = {}
            for face in faces:
                if face.covers(probe) and not (script in HALF_WIDTH_SCRIPTS and _is_east_asian(face)):
                    families.setdefault(_family_group(face.family), []).append(face)
            if families:
                self._families[script] = [families[name] for name in sorted(families)]
                self._sign_families[script] = [
                    families[name] for name in sorted(families) if SIGN_FAMILIES.match(name)
                ]
        if not self._families:
            raise ValueError(
                f"Found no font that covers a script of {', '.join(SCRIPT_PROBES)}. {INSTALL_HINT}"
            )

    @classmethod
    def from_folders(cls, folders: Sequence[Path | str] | None = None) -> FontLibrary:
        """Read the fonts below the folders; None means the system's.

        With no font on the system, Pillow's own face (basic Latin) is used and a warning says so.

        Raises:
            ValueError: If folders were given and hold no usable font.
        """
        faces = [face for path in find_font_files(folders) for face in read_faces(path)]
        if not faces and folders is None:
            warnings.warn(
                "No font is installed: text is drawn with Pillow's built-in face, basic Latin only. "
                + INSTALL_HINT,
                stacklevel=2,
            )
            faces = [builtin_face()]
        return cls(faces)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The scripts that can be drawn."""
        return tuple(self._families)

    def families(self, script: str) -> list[list[FontFace]]:
        """The faces of a script, grouped by family."""
        return self._families.get(script, [])

    def draw(self, script: str, rng: np.random.Generator) -> FontFace:
        """A random face for a script."""
        families = self._families[script]
        plain = self._sign_families[script]
        if plain and rng.random() < 0.5:
            families = plain
        family = families[int(rng.integers(len(families)))]
        return family[int(rng.integers(len(family)))]


def read_faces(path: Path) -> list[FontFace]:
    """The faces of a font file that hold text glyphs; an unreadable file gives none."""
    family = re.split(r"[-_]", path.stem)[0]
    if NOT_TEXT_FAMILIES.search(path.stem):
        return []
    faces = []
    try:
        with path.open("rb") as stream:
            for index, offset in enumerate(_face_offsets(stream)):
                characters = _read_characters(stream, offset)
                if characters:
                    faces.append(FontFace(path, index, family, characters))
    except (OSError, struct.error, ValueError):
        return []
    return faces


def _is_east_asian(face: FontFace) -> bool:
    return any(face.covers(character) for character in "中あ가")


def _family_group(family: str) -> str:
    # Noto splits one design into a hundred families, one a script.
    for prefix in ("NotoSansMono", "NotoSansCJK", "NotoSerifCJK", "NotoSans", "NotoSerif", "LinLibertine"):
        if family.startswith(prefix):
            return prefix
    return family


@lru_cache(maxsize=2048)
def _load_face(path: str, index: int, size_px: int) -> ImageFont.FreeTypeFont:
    if not path:
        return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size_px))
    return ImageFont.truetype(path, size_px, index=index)


# --- cmap: the table of a font that maps code points to glyphs (OpenType specification, "cmap") ---


def _face_offsets(stream: IO[bytes]) -> list[int]:
    stream.seek(0)
    tag = stream.read(4)
    if tag != b"ttcf":
        return [0]
    stream.seek(8)
    (count,) = struct.unpack(">I", stream.read(4))
    return list(struct.unpack(f">{count}I", stream.read(4 * count)))


def _read_characters(stream: IO[bytes], face_offset: int) -> frozenset[int]:
    """Code points of the best Unicode subtable; empty for symbol-encoded and non-Unicode fonts."""
    stream.seek(face_offset + 4)
    (table_count,) = struct.unpack(">H", stream.read(2))
    stream.seek(face_offset + 12)
    start = length = 0
    for _ in range(table_count):
        tag, _, table_offset, table_length = struct.unpack(">4sIII", stream.read(16))
        if tag == b"cmap":
            start, length = table_offset, table_length
    if not start:
        return frozenset()
    stream.seek(start)
    table = stream.read(length)
    (subtable_count,) = struct.unpack_from(">H", table, 2)
    best_rank, best_offset = 0, 0
    for number in range(subtable_count):
        platform, encoding, offset = struct.unpack_from(">HHI", table, 4 + 8 * number)
        rank = {(3, 10): 4, (0, 4): 3, (0, 6): 3, (3, 1): 2, (0, 3): 2}.get((platform, encoding), 0)
        if rank > best_rank:
            best_rank, best_offset = rank, offset
    return frozenset(_subtable_characters(table, best_offset).tolist()) if best_rank else frozenset()


def _subtable_characters(table: bytes, offset: int) -> np.ndarray:
    """Which of `ALPHABET` the subtable maps to a glyph, as code points."""
    (kind,) = struct.unpack_from(">H", table, offset)
    if kind == 12:
        (group_count,) = struct.unpack_from(">I", table, offset + 12)
        groups = np.frombuffer(table, ">u4", 3 * group_count, offset + 16).reshape(-1, 3).astype(np.int64)
        group = np.searchsorted(groups[:, 0], ALPHABET, side="right") - 1
        return ALPHABET[(group >= 0) & (groups[group, 1] >= ALPHABET)]
    if kind != 4:
        return ALPHABET[:0]
    (twice_segments,) = struct.unpack_from(">H", table, offset + 6)
    segments = twice_segments // 2
    words = np.frombuffer(table, ">u2", (len(table) - offset) // 2, offset).astype(np.int64)
    ends, starts = words[7 : 7 + segments], words[8 + segments : 8 + 2 * segments]
    deltas = words[8 + 2 * segments : 8 + 3 * segments]
    ranges_at = 8 + 3 * segments
    segment = np.minimum(np.searchsorted(ends, ALPHABET), segments - 1)
    inside = (starts[segment] <= ALPHABET) & (ends[segment] >= ALPHABET)
    ranged = words[ranges_at + segment]
    places = np.clip(ranges_at + segment + ranged // 2 + ALPHABET - starts[segment], 0, len(words) - 1)
    glyphs = np.where(ranged == 0, (ALPHABET + deltas[segment]) & 0xFFFF, words[places])
    return ALPHABET[inside & (glyphs != 0)]
