"""How often a JPEG has its whole picture decoded: told from its markers. Standard library only."""

import re

__all__ = ["MOST_SCANS", "count_scans"]

MOST_SCANS = 100
"""Encoders write about ten; libtiff's own limit is the same."""

_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_NO_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))  # TEM, RST0 … RST7, SOI
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Entropy-coded bytes hold no marker but restarts: 0xFF itself is followed by a zero there.
_NEXT_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")


def count_scans(content: bytes) -> int:
    """Scans of the first picture of a JPEG file.

    Every scan of a progressive JPEG goes over the whole picture again, and a scan of no news takes few bytes:
    a file of 20 MB can ask for hours. Readers stop behind the only scan of other files.

    Args:
        content: the file. What lies behind the first picture (thumbnails, a film) is not looked at.

    Returns:
        At least 0; 1 for most files. A damaged file is counted up to the damage.
    """
    scans = components = 0
    is_progressive = False
    place = 0
    while (found := _NEXT_MARKER.search(content, place)) is not None:
        marker, place = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            break
        if marker in _NO_LENGTH:
            continue
        if marker in _FRAME_HEADERS:
            is_progressive, components = marker in _PROGRESSIVE, _byte(content, place + 7)
        elif marker == _START_OF_SCAN:
            scans += 1
            if not is_progressive and _byte(content, place + 2) == components:
                break
        place += max(int.from_bytes(content[place : place + 2], "big"), 2)
    return scans


def _byte(content: bytes, place: int) -> int:
    return content[place] if place < len(content) else -1
