"""Render the three street scenes in examples/images, with the exact polygons of their words.

    python examples/make_example_images.py --output examples/images

The scenes are built from the parts of `tcm_hf.data.synthetic`: procedural walls, signs laid out with real
fonts, put into perspective. Letters come from the Debian packages fonts-dejavu, fonts-liberation and
fonts-lobster where installed, else from the face that Pillow carries.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tcm_hf.data.records import TextInstance, TextRecord, row_from_record
from tcm_hf.data.synthetic.fonts import FontFace, builtin_face, find_font_files, read_faces
from tcm_hf.data.synthetic.layout import TextLine, lay_out
from tcm_hf.data.synthetic.painting import Canvas
from tcm_hf.data.synthetic.placing import annotate_word, blend_layers
from tcm_hf.data.synthetic.textures import bricks, clouds, foliage, plaster, shelves, stripes, tiles, wood
from tcm_hf.data.synthetic.warps import ArcBend, BlockWarp, translation, view_homography

SIZE_HW = (720, 1280)
WHITE, BLACK, RED, YELLOW = (245, 245, 240), (25, 25, 28), (185, 30, 35), (245, 205, 60)
BLUE, GREEN, CREAM, BROWN = (30, 60, 130), (20, 95, 60), (240, 228, 200), (90, 55, 35)
SANS, SERIF, HAND, MONO = "LiberationSans-Bold", "DejaVuSerif-Bold", "Lobster", "DejaVuSansMono-Bold"


@dataclass(frozen=True)
class Sign:
    """One sign of a scene.

    Args:
        lines: The text, one (words, letter height in pixels) a line.
        center_xy: Where its middle lies in the image.
        font: The base name of the font file.
        ink: The colour of the letters.
        board: The colour of the board behind them, or None for letters on the wall.
        view_deg: Yaw, pitch and roll.
        arc_px: Radius of the baseline; 0 is straight.
    """

    lines: tuple[tuple[str, int], ...]
    center_xy: tuple[float, float]
    font: str = SANS
    ink: tuple[int, int, int] = WHITE
    board: tuple[int, int, int] | None = None
    view_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    arc_px: float = 0.0


def find_face(name: str) -> FontFace:
    """The installed face of that file name, or Pillow's own."""
    paths = [path for path in find_font_files() if path.stem.startswith(name)]
    faces = [face for path in paths[:1] for face in read_faces(path)]
    return faces[0] if faces else builtin_face()


def put_sign(image: np.ndarray, sign: Sign) -> list[TextInstance]:
    """Draw a sign into the image, in place; returns its words."""
    face = find_face(sign.font)
    lines = [
        TextLine(tuple(text.split()), "latin", face, height, gap_px=max(3, round(0.4 * height)))
        for text, height in sign.lines
    ]
    block = lay_out(lines, alignment=0.5, leading=0.3, padding_px=max(6, lines[0].em_px // 2))
    if block is None:
        return []
    canvas = Canvas(block.ink.shape)
    height, width = block.ink.shape
    if sign.board:
        plate = np.zeros((height, width), dtype=np.float32)
        cv2.rectangle(plate, (1, 1), (width - 2, height - 2), 1.0, -1)
        rim = np.zeros_like(plate)
        cv2.rectangle(rim, (3, 3), (width - 4, height - 4), 1.0, 2)
        canvas.lay(plate, np.array(sign.board))
        canvas.lay(0.7 * rim, np.array(sign.ink))
    canvas.lay(block.ink.astype(np.float32) / 255, np.array(sign.ink))
    view = view_homography(*np.radians(sign.view_deg), focal_px=1100.0)
    bend = ArcBend(sign.arc_px) if sign.arc_px else None
    warp = BlockWarp((width, height), bend, translation(*sign.center_xy) @ view)
    blend_layers(image, canvas.rgba, warp, shaded=True)
    return [annotate_word(word, warp)[0] for word in block.words]


def put_wall(image: np.ndarray, corners_xy: list[tuple[int, int]], texture: np.ndarray) -> None:
    """Draw a texture onto a quadrilateral of the image, in place."""
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    target = np.array(corners_xy, dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    drawn = cv2.warpPerspective(texture, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR)
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(mask, target.astype(np.int32), 255)
    cv2.copyTo(drawn, mask, image)


def put_windows(image: np.ndarray, left: int, top: int, count: int, step: int) -> None:
    """Draw a row of windows, in place."""
    w, h, frame = 82, 115, (225, 222, 212)
    for column in range(count):
        x = left + column * step
        shade = 60 + 13 * ((5 * column) % 7)
        cv2.rectangle(image, (x - 4, top - 4), (x + w + 4, top + h + 4), frame, -1)
        cv2.rectangle(image, (x, top), (x + w, top + h), (shade - 20, shade, shade + 15), -1)
        cv2.line(image, (x + w // 2, top), (x + w // 2, top + h), frame, 3)
        cv2.line(image, (x, top + h // 3), (x + w, top + h // 3), frame, 3)


def street_scene() -> tuple[np.ndarray, list[TextInstance]]:
    """A shopping street: fascias, a street name, a parking sign, a poster."""
    rng = np.random.default_rng(11)
    image = clouds(rng, SIZE_HW)
    image[:] = (0.25 * image + 0.75 * np.array([200, 212, 225])).astype(np.uint8)
    put_wall(
        image, [(0, 40), (820, 90), (820, 590), (0, 640)], tinted(bricks(rng, (520, 820)), (165, 105, 85))
    )
    put_wall(
        image, [(820, 60), (1280, -60), (1280, 700), (820, 590)], tinted(plaster(rng, (500, 460)), CREAM)
    )
    street = np.array([(0, 640), (820, 590), (1280, 700), (1280, 720), (0, 720)], dtype=np.int32)
    cv2.fillPoly(image, [street], (120, 118, 115), cv2.LINE_AA)
    put_windows(image, 60, 115, count=5, step=150)
    put_wall(image, [(40, 400), (400, 405), (400, 615), (40, 632)], shelves(rng, (220, 360)))
    put_wall(image, [(440, 405), (790, 410), (790, 592), (440, 612)], shelves(rng, (190, 350)) // 2)
    put_wall(image, [(30, 318), (405, 326), (405, 400), (30, 396)], tinted(wood(rng, (80, 380)), GREEN))
    put_wall(image, [(430, 326), (800, 334), (800, 406), (430, 402)], tinted(wood(rng, (80, 380)), RED))
    put_wall(image, [(1180, 380), (1290, 380), (1290, 720), (1180, 700)], foliage(rng, (320, 110)))
    signs = [
        Sign((("Mill Lane Bakery", 48),), (217, 359), HAND, CREAM, None, (4, 0, 1.2)),
        Sign((("BOOKS & COFFEE", 35),), (615, 367), SERIF, YELLOW, None, (3, 0, 1.2)),
        Sign((("MILL LANE", 27), ("Riverside", 17)), (915, 205), SANS, BLACK, WHITE, (-32, 0, -3)),
        Sign(
            (("NO PARKING", 25), ("Mon-Sat", 21), ("8:00-18:30", 21)),
            (1120, 330),
            SANS,
            RED,
            WHITE,
            (-30, 0, 3),
        ),
        Sign((("OPEN", 30),), (345, 560), SANS, WHITE, BLUE, (5, 0, -7)),
        Sign((("SALE", 44), ("up to 50%", 24)), (520, 510), SANS, WHITE, RED, (0, 8, -14)),
        Sign((("Fresh bread", 26), ("every morning", 20)), (150, 480), SERIF, BROWN, CREAM, (6, 0, 5)),
        Sign((("Tel. 555 0192", 17),), (1010, 520), SANS, (70, 70, 75), None, (-34, 0, 7)),
    ]
    return finished(image, signs, rng)


def station_scene() -> tuple[np.ndarray, list[TextInstance]]:
    """A tiled underground station: an arch, platform signs, a departures board on a receding wall."""
    rng = np.random.default_rng(23)
    image = tinted(tiles(rng, SIZE_HW), (205, 208, 200))
    put_wall(
        image,
        [(760, 130), (1280, -40), (1280, 760), (760, 590)],
        tinted(tiles(rng, (460, 520)), (150, 165, 170)),
    )
    put_wall(
        image, [(0, 590), (760, 590), (1280, 730), (0, 730)], tinted(plaster(rng, (140, 900)), (95, 95, 100))
    )
    cv2.fillPoly(image, [np.array([(0, 0), (1280, -40), (760, 130)], dtype=np.int32)], (92, 94, 98))
    for x, y in ((330, 22), (560, 40), (700, 70), (850, 35)):
        cv2.ellipse(image, (x, y), (46, 7), 8, 0, 360, (250, 250, 235), -1, cv2.LINE_AA)
    put_wall(
        image,
        [(240, 290), (520, 290), (520, 592), (240, 592)],
        tinted(stripes(rng, (300, 280)), (60, 62, 66)),
    )
    cv2.ellipse(image, (380, 292), (140, 66), 0, 180, 360, (60, 62, 66), -1, cv2.LINE_AA)
    cv2.ellipse(image, (380, 292), (150, 76), 0, 180, 360, (150, 140, 120), 9, cv2.LINE_AA)
    signs = [
        Sign((("CENTRAL STATION", 46),), (380, 165), SERIF, BLUE, None, (0, 0, 0), 330),
        Sign((("Way out", 38),), (672, 306), SANS, BLACK, YELLOW, (6, 0, 0)),
        Sign((("Platform 3", 34), ("Northbound trains", 20)), (118, 330), SANS, WHITE, BLUE, (8, 0, 0)),
        Sign(
            (
                *(("DEPARTURES", 34), ("09:12 Harbour", 26), ("09:26 Old Town", 26)),
                *(("09:41 Airport", 26), ("10:05 Lakeside", 26)),
            ),
            (1015, 245), MONO, YELLOW, BLACK, (-40, 0, 0),
        ),
        Sign((("TICKETS", 32),), (910, 470), SANS, WHITE, RED, (-40, 0, 6)),
        Sign((("Mind the step", 30),), (380, 650), SANS, YELLOW, None, (0, 35, 0)),
        Sign((("PUSH", 20),), (320, 450), SANS, WHITE, None, (0, 0, 0)),
        Sign(
            (("EXHIBITION", 24), ("12 May to 30 June", 17), ("City Museum", 17)),
            (645, 450), SERIF, WHITE, GREEN, (0, 0, 4),
        ),
    ]  # fmt: skip
    return finished(image, signs, rng)


def market_scene() -> tuple[np.ndarray, list[TextInstance]]:
    """A market stall seen with a tilted camera: awning, price tags, a chalk board, a banner."""
    rng = np.random.default_rng(37)
    image = cv2.GaussianBlur(cv2.add(foliage(rng, SIZE_HW), (45, 60, 40, 0)), (0, 0), 5)
    put_wall(
        image, [(60, 230), (900, 180), (930, 470), (80, 520)], tinted(wood(rng, (300, 840)), (70, 50, 40))
    )
    put_wall(
        image, [(20, 120), (930, 60), (960, 190), (30, 260)], tinted(stripes(rng, (130, 900)), (200, 80, 70))
    )
    put_wall(
        image,
        [(60, 500), (960, 440), (1000, 740), (80, 740)],
        tinted(shelves(rng, (260, 900)), (190, 150, 80)),
    )
    put_wall(
        image,
        [(960, 250), (1240, 300), (1230, 700), (970, 690)],
        tinted(plaster(rng, (420, 270)), (45, 52, 48)),
    )
    signs = [
        Sign((("FARM MARKET", 62),), (470, 155), SANS, WHITE, None, (0, 10, -4)),
        Sign((("Apples", 30), ("2.50/kg", 24)), (200, 420), HAND, BLACK, YELLOW, (0, 0, -9)),
        Sign((("Pears", 30), ("3.20/kg", 24)), (420, 385), HAND, BLACK, WHITE, (0, 0, 6)),
        Sign((("Cherries", 28), ("4.90", 28)), (640, 375), HAND, WHITE, RED, (10, 0, -12)),
        Sign((("Honey", 30), ("6.00", 26)), (820, 330), HAND, BLACK, YELLOW, (-10, 0, 4)),
        Sign(
            (("Today", 48), ("tomato soup", 30), ("rye bread", 30), ("apple cake", 30), ("from 4.80", 34)),
            (1100, 480), HAND, CREAM, None, (-14, 0, 5),
        ),
        Sign((("ORGANIC", 34),), (1110, 150), SANS, WHITE, GREEN, (0, 0, 13)),
        Sign((("Please do not touch the fruit", 20),), (430, 560), SANS, BLACK, CREAM, (0, 0, -4)),
    ]  # fmt: skip
    return finished(image, signs, rng)


def tinted(texture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """The texture's light and dark in a colour of our choice."""
    grey = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shade = np.clip(1 + (grey - grey.mean()) / 160, 0.55, 1.35)
    return np.clip(shade[..., None] * np.array(color, dtype=np.float32), 0, 255).astype(np.uint8)


def finished(
    image: np.ndarray, signs: list[Sign], rng: np.random.Generator
) -> tuple[np.ndarray, list[TextInstance]]:
    """Put the signs up, then photograph: slight blur, light falling off to the corners, a little noise."""
    words = [word for sign in signs for word in put_sign(image, sign)]
    image = cv2.GaussianBlur(image, (0, 0), 0.7)
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = (1.03 - 0.14 * (x * x + y * y))[..., None]
    noise = rng.standard_normal((height, width, 1), dtype=np.float32) * 2.5
    return np.clip(image * light + noise, 0, 255).astype(np.uint8), words


SCENES = {"street": street_scene, "station": station_scene, "market": market_scene}


def main() -> None:
    """Write the scenes and their metadata.jsonl."""
    parser = argparse.ArgumentParser(description="Render the example images.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "images")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, make in SCENES.items():
        image, words = make()
        record = TextRecord(image, words, "word", f"{name}.jpg")
        Image.fromarray(image).save(output / record.name, quality=88)
        rows.append(row_from_record(record, record.name, image.shape[:2]))
    (output / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"Wrote {len(rows)} images to {output}")


if __name__ == "__main__":
    main()
