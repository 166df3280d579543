"""Small exports of labelling tools as JSON, by the names of their corpora: (file, document).

901 is the number of what may have another one, in names too: more photos are made by counting on.
"""

_POINTS = [[10, 5], [60, 8], [59, 20], [9, 17]]
_FLAT = [value for point in _POINTS for value in point]
_SIZE = {"original_width": 200, "original_height": 80, "image_rotation": 0}
_BOX = {"x": 10, "y": 25, "width": 30, "height": 12.5, "rotation": 5}
_REGION = {"id": "r", "type": "rectanglelabels", **_SIZE, "value": {**_BOX, "rectanglelabels": ["Text"]}}
_SAID = {"id": "r", "type": "textarea", **_SIZE, "value": {**_BOX, "text": ["a"]}}
_TASK = {
    "id": 901,
    "data": {"ocr": "/data/upload/1/0a1b2c3d-a901.jpg"},
    "annotations": [{"was_cancelled": False, "updated_at": "2024", "result": [_REGION, _SAID]}],
}
_ROW = {
    "ocr": "/data/upload/1/0a1b2c3d-b901.jpg",
    "id": 901,
    "bbox": [{**_BOX, **_SIZE}],
    "label": [{**_BOX, **_SIZE, "labels": ["Text"]}],
    "transcription": ["a"],
}
_ANNOTATION = {"id": 901, "image_id": 901, "category_id": 1, "segmentation": [_FLAT], "iscrowd": 0}
_BOXED = {**_ANNOTATION, "segmentation": [], "bbox": [1, 2, 3, 4], "attributes": {"text": "a", "rotation": 5}}
_SHAPE = {"label": "a", "points": _POINTS, "shape_type": "polygon", "flags": {"b": True}, "description": "b"}

EXPORTS = {
    "coco": (
        "a.json",
        {
            "images": [{"id": 901, "file_name": "901.jpg", "width": 96, "height": 64}],
            "annotations": [_ANNOTATION, _BOXED],
            "categories": [{"id": 1, "name": "text"}],
        },
    ),
    "labelme": (
        "a.json",
        {
            "shapes": [_SHAPE, {**_SHAPE, "points": _POINTS[:2], "shape_type": "rectangle"}],
            "imagePath": "901.jpg",
            "imageData": None,
            "imageHeight": 64,
            "imageWidth": 96,
        },
    ),
    "label-studio": ("a.json", [_TASK, _ROW]),
    "mmocr": (
        "textdet_a.json",
        {
            "metainfo": {"task_name": "textdet"},
            "data_list": [
                {
                    "img_path": "901.jpg",
                    "height": 6,
                    "width": 9,
                    "instances": [{"polygon": _FLAT, "text": "a"}],
                }
            ],
        },
    ),
    "imagefolder": (
        "metadata.jsonl",
        {"file_name": "901.jpg", "polygons": [_POINTS], "texts": ["a"], "ignore": [False], "level": "line"},
    ),
}
