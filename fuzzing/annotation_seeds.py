"""A sound label file of every corpus and format that has one of text: (corpus, its name, content)."""

import json
from typing import Any

__all__ = ["FILES"]

_POINTS = [[10, 5], [60, 8], [59, 20], [9, 17]]
_FLAT = [value for point in _POINTS for value in point]
_PHOTO = {"id": 901, "file_name": "train/901.jpg", "set": "train", "width": 64, "height": 48}
_WORD = {
    "id": 901,
    "image_id": 901,
    "bbox": [1, 2, 8, 5],
    "mask": _FLAT,
    "points": _FLAT,
    "legibility": "legible",
    "language": "english",
    "utf8_string": "a",
}
_IMGS = {"imgs": {"901": _PHOTO}, "anns": {"901": _WORD}, "imgToAnns": {"901": [901]}}
_ART = {"gt_1": [{"transcription": "a", "points": _POINTS, "illegibility": False, "language": "Latin"}]}
_RECTS_LINE = {"points": _FLAT, "transcription": "a", "ignore": 0}
_BEZIER = {"id": 901, "image_id": 901, "bezier_pts": list(range(16)), "rec": [33, 96], "iscrowd": 0}
_SIZE = {"original_width": 200, "original_height": 80, "image_rotation": 0}
_BOX = {"x": 10, "y": 25, "width": 30, "height": 12.5, "rotation": 5}
_TASK = {
    "id": 901,
    "data": {"ocr": "/data/upload/1/0a1b2c3d-a901.jpg"},
    "annotations": [
        {
            "was_cancelled": False,
            "result": [
                {
                    "id": "r",
                    "type": "rectanglelabels",
                    **_SIZE,
                    "value": {**_BOX, "rectanglelabels": ["Text"]},
                },
                {"id": "r", "type": "textarea", **_SIZE, "value": {**_BOX, "text": ["a"]}},
            ],
        }
    ],
}
_COCO = {
    "images": [_PHOTO],
    "categories": [{"id": 1, "name": "text"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 901,
            "category_id": 1,
            "segmentation": [_FLAT],
            "bbox": [1, 2, 3, 4],
            "iscrowd": 0,
            "attributes": {"text": "a"},
        }
    ],
}
_LABELME = {
    "shapes": [
        {"label": "a", "points": _POINTS, "shape_type": "polygon", "flags": {}, "description": "b"},
        {"label": "a", "points": _POINTS[:2], "shape_type": "rectangle", "flags": {}},
    ],
    "imagePath": "901.jpg",
    "imageData": None,
    "imageHeight": 64,
    "imageWidth": 96,
}
_MMOCR = {
    "metainfo": {"task_name": "textdet"},
    "data_list": [
        {"img_path": "901.jpg", "height": 6, "width": 9, "instances": [{"polygon": _FLAT, "text": "a"}]}
    ],
}
_MMOCR_WORDS = {
    "metainfo": {"dataset_type": "TextRecogDataset", "task_name": "textrecog"},
    "data_list": [{"img_path": "1.jpg", "instances": [{"text": "a"}]}],
}
_ROW = {"file_name": "901.jpg", "polygons": [_POINTS], "texts": ["a"], "ignore": [False], "level": "line"}
_BOXES_ROW = {"file_name": "901.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "text": ["a"]}}
_OBJECTS_ROW = {"file_name": "901.jpg", "polygons": [_POINTS], "classes": ["ship"], "ignore": [False]}
_SVT = """<?xml version="1.0" encoding="utf-8"?><tagset><image><imageName>img/1.jpg</imageName>
<Resolution x="64" y="48"/><taggedRectangles><taggedRectangle height="5" width="9" x="1" y="2"><tag>A</tag>
</taggedRectangle></taggedRectangles></image></tagset>"""
_CVAT = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta/>
<image id="0" name="a.jpg" width="96" height="64"><polygon label="text" points="1,2;9,2;9,7" occluded="0">
<attribute name="text">a</attribute></polygon>
<box label="text" xtl="1" ytl="2" xbr="9" ybr="7" rotation="5"/></image>
</annotations>"""
_CUTE = """<?xml version="1.0"?><Images><Image><ImageName>image001.jpg</ImageName>
<PolygonPoints x="1 9 9" y="2 2 7">test</PolygonPoints></Image></Images>"""


def _json(document: Any) -> str:
    return json.dumps(document)


_TEXTS = (
    ("icdar2013", "gt_1.txt", '1 2 9 7 "a \\" b"\n1, 2, 9, 7, "c"\n'),
    ("icdar2015", "gt_1.txt", "1,2,9,2,9,7,1,7,a, b\n1,2,9,2,9,7,1,7,###\n"),
    ("mlt2017", "gt_1.txt", "1,2,9,2,9,7,1,7,Latin,a, b\n"),
    ("mlt2019", "tr_img_00001.txt", "1,2,9,2,9,7,1,7,Hindi,a\n"),
    ("rctw17", "image_1.txt", '1,2,9,2,9,7,1,7,0,"a"\n'),
    ("totaltext", "poly_gt_img1.txt", "x: [[1 9 9]], y: [[2 2 7]], ornt: [u'c'], transcriptions: [u'a']\n"),
    ("ctw1500", "0001001.txt", ",".join(map(str, range(28))) + ",####a\n"),
    (
        "ctw1500",
        "0001.xml",
        '<Annotations><image file="0001.jpg"><box height="5" width="9" left="1" top="2">'
        "<label>a</label><segs>1,2,9,2,9,7,1,7</segs></box></image></Annotations>",
    ),
    ("td500", "IMG_1.gt", "0 0 1 2 8 5 0.1\n"),
    ("hust-tr400", "a.gt", "0 0 1 2 8 5 0.1\n"),
    ("art", "train_labels.json", _json(_ART)),
    ("lsvt", "train_full_labels.json", _json(_ART)),
    ("rects", "a.json", _json({"chars": [_RECTS_LINE], "lines": [_RECTS_LINE]})),
    ("cocotext", "cocotext.v2.json", _json(_IMGS)),
    ("textocr", "TextOCR_0.1_train.json", _json(_IMGS)),
    ("syntext150k", "train.json", _json({"images": [_PHOTO], "annotations": [_BEZIER], "categories": []})),
    ("svt", "train.xml", _SVT),
    ("cute80", "GroundTruth.xml", _CUTE),
    ("coco", "a.json", _json(_COCO)),
    ("labelme", "a.json", _json(_LABELME)),
    ("label-studio", "a.json", _json([_TASK])),
    ("cvat", "annotations.xml", _CVAT),
    ("paddleocr", "Label.txt", f"a.jpg\t{_json([{'transcription': 'a', 'points': _POINTS}])}\n"),
    ("mmocr", "textdet_a.json", _json(_MMOCR)),
    ("imagefolder", "metadata.jsonl", _json(_ROW) + "\n" + _json(_BOXES_ROW) + "\n"),
    ("imagefolder", "metadata.csv", f'file_name,polygons,texts\na.jpg,"{_json([_POINTS])}","[""a""]"\n'),
    ("words", "metadata.jsonl", _json({"file_name": "1.png", "text": "a"}) + "\n"),
    ("words", "metadata.csv", 'file_name,text\n1.png,"a, b"\n'),
    ("words", "gt.txt", 'word_1.png, "Tiredness"\nword_2.png\tb\n'),
    ("paddleocr-words", "rec_gt.txt", "crop_img/1.jpg\ta\n"),
    ("mmocr-words", "textrecog_train.json", _json(_MMOCR_WORDS)),
    ("dota", "labelTxt/a.txt", "imagesource:GoogleEarth\ngsd:0.1\n1 2 9 2 9 7 1 7 storage-tank 0\n"),
    ("objects", "metadata.jsonl", _json(_OBJECTS_ROW) + "\n"),
)

FILES: tuple[tuple[str, str, bytes], ...] = tuple(
    (corpus, name, text.encode()) for corpus, name, text in _TEXTS
)
"""The order is part of the stored inputs: append, do not insert."""
