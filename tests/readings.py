"""Reading records by hand: words with polygons, as `tcm-hf read` would write them."""

from pathlib import PurePath

from tcm_hf.results import records as record_module

MODEL = {"id": "fasttcm-dbnet-tiny", "recognizer": "clip4str-tiny", "dtype": "float32", "device": "cpu"}
PARAMS = {"threshold": 0.3, "polygon_mode": "quad", "tile": None, "lexicon": None}


def word(text, polygon, line=0, paragraph=0, score=0.9):
    xs, ys = zip(*polygon, strict=True)
    return {
        "text": text,
        "score": score,
        "detection_score": 0.75,
        "polygon": [list(map(float, point)) for point in polygon],
        "box": {
            "xmin": max(0, int(min(xs))),
            "ymin": max(0, int(min(ys))),
            "xmax": -int(-max(xs) // 1),
            "ymax": -int(-max(ys) // 1),
        },
        "line": line,
        "paragraph": paragraph,
    }


def bar(text, x, y, width=100, height=30, **where):
    return word(text, [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], **where)


def reading(words, path="photos/street.jpg", size_hw=(300, 400), page=None, dpi=200):
    source = record_module.image_source(PurePath(path), size_hw, page=page, dpi=dpi)
    return record_module.image_record(record_module.READINGS, source, MODEL, PARAMS, words)
