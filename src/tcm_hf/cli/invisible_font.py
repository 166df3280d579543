"""A font that holds every character and shows none: the text layer of a searchable PDF is written in it.

Whatever code comes, the PDF maps it to the one glyph (`CID_TO_GLYPH`) and to the character of the same number
(`TO_UNICODE`), so text in any script can be found and copied while the file grows by 2 kB.
"""

import struct

# Of an em of 1000 units: each character is so wide and as high as the line, from the baseline upwards.
UNITS_PER_EM = 1000
ADVANCE = 500

CID_TO_GLYPH = bytes(2 * 0x10000)

TO_UNICODE = """\
/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
1 beginbfrange
<0000> <FFFF> <0000>
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


def invisible_truetype_font() -> bytes:
    """A TrueType file with the tables that PDF asks of an embedded font (ISO 32000-1, 9.9) and one glyph.

    The glyph is a stroke there and back, across its whole cell: it has no area to paint, but bounds, from
    which readers of the PDF take the height and width of the text.
    """
    ends, instructions, flags = [2], b"", bytes([0x01] * 3)  # one contour of three points, all on the curve
    xs, ys = [0, ADVANCE, -ADVANCE], [0, UNITS_PER_EM, -UNITS_PER_EM]  # each from the point before
    glyph = struct.pack(">5h", len(ends), 0, 0, ADVANCE, UNITS_PER_EM)
    glyph += struct.pack(">2H", ends[0], len(instructions)) + flags + struct.pack(">6h", *xs, *ys)
    glyph += bytes(-len(glyph) % 4)
    tables = {
        b"glyf": glyph,
        # Version, revision, checksum, magic number, flags, em, two dates, bounds, style, least size,
        # direction, format of `loca` (long), format of `glyf`.
        b"head": struct.pack(
            ">4I2H2q4h2H3h",
            *(0x10000, 0x10000, 0, 0x5F0F3CF5, 0, UNITS_PER_EM, 0, 0),
            *(0, 0, ADVANCE, UNITS_PER_EM, 0, 8, 2, 1, 0),
        ),
        # Version, ascent, descent, gap, widest advance, bearings, extent, caret, reserved, format, number of
        # advances.
        b"hhea": struct.pack(
            ">I3hH11hH", 0x10000, UNITS_PER_EM, 0, 0, ADVANCE, 0, 0, ADVANCE, 1, 0, 0, 0, 0, 0, 0, 0, 1
        ),
        b"hmtx": struct.pack(">Hh", ADVANCE, 0),
        b"loca": struct.pack(">2I", 0, len(glyph)),
        # Version, glyphs, points and contours, then the limits of what is not used.
        b"maxp": struct.pack(">I14H", 0x10000, 1, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    # The directory helps a binary search: 4 is the greatest power of two of 6 tables.
    directory = struct.pack(">I4H", 0x10000, len(tables), 4 * 16, 2, (len(tables) - 4) * 16)
    offset = len(directory) + 16 * len(tables)
    body = b""
    for tag, table in sorted(tables.items()):
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4s3I", tag, checksum, offset + len(body), len(table))
        body += padded
    return directory + body
