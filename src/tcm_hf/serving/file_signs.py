"""What kind of file some bytes are, by how they begin; for saying why they are not read."""

import re
from typing import NamedTuple


class OtherFile(NamedTuple):
    """A kind of file that is no picture that is read.

    Attributes:
        name: With its article.
        advice: What to do instead.
        sign: How such files begin.
    """

    name: str
    advice: str
    sign: re.Pattern[bytes]


_LOOKED_AT = 1024

# Anything that begins so is a picture, if perhaps a broken one.
_PICTURE_SIGNS = re.compile(
    rb"\xff\xd8\xff"  # JPEG
    rb"|\x89PNG\r\n\x1a\n"
    rb"|GIF8[79]a"
    rb"|RIFF....WEBP"
    rb"|....ftypavi[fs]"
    rb"|BM.{4}\0{4}"
    rb"|II[*+]\0|MM\0[*+]"  # TIFF, BigTIFF
    rb"|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"  # JPEG 2000
    rb"|P[1-6]\s",  # PPM and its kin
    re.DOTALL,
)

_CONVERT = "Save it as JPEG or PNG."
_UNPACK = "Send the pictures in it one by one."
_OTHER_FILES = [
    OtherFile(name, advice, re.compile(sign, re.DOTALL | re.IGNORECASE))
    for name, advice, sign in (
        ("a PDF document", "Send its pages as pictures, or use `tcm-hf read`.", rb"\s*%PDF-"),
        ("a HEIC picture", _CONVERT, rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)"),
        ("a video", "Send one of its pictures.", rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI "),
        ("a JPEG XL picture", _CONVERT, rb"\xff\x0a|\0\0\0\x0cJXL "),
        ("an SVG drawing", _CONVERT, rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^<]*)*<svg[\s>]"),
        ("a PostScript file", _CONVERT, rb"%!PS|\xc5\xd0\xd3\xc6"),
        ("a Photoshop file", _CONVERT, rb"8BPS"),
        ("an icon", _CONVERT, rb"\0\0[\x01\x02]\0"),
        ("a ZIP archive", _UNPACK, rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
        ("an archive", _UNPACK, rb"\x1f\x8b|Rar!|7z\xbc\xaf\x27\x1c|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd"),
        ("a program", "", rb"\x7fELF|MZ"),
        ("a web page", "Send the picture itself.", rb"\s*<(?:!doctype html|html)"),
        ("a web address", "Nothing is fetched: send the picture itself.", rb"\s*https?://"),
        ("base64 text", "Send the bytes as they are.", rb"\s*(?:data:image/|/9j/|iVBORw0KGgo)"),
    )
]


def is_picture_file(content: bytes) -> bool:
    """Whether bytes begin like a picture of a format that is read."""
    return _PICTURE_SIGNS.match(content[:_LOOKED_AT]) is not None


def other_file(content: bytes) -> OtherFile | None:
    """What a file is that is no picture; `None` where it may be anything."""
    beginning = content[:_LOOKED_AT]
    return next((kind for kind in _OTHER_FILES if kind.sign.match(beginning)), None)
