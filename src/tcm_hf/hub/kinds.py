"""What the cards of the models say of each kind: task, nearest task that the Hub knows, words for people."""

from typing import NamedTuple


class ModelKind(NamedTuple):
    """What a model is for.

    Attributes:
        task: Our pipeline.
        hub_task: The nearest task that the Hub knows.
        what: What it is, as a sentence begins.
        noun: The same for titles.
        name: A variable that holds its pipeline.
        picture: An example of what it takes.
        tags: By which it is found on the Hub.
    """

    task: str
    hub_task: str
    what: str
    noun: str
    name: str
    picture: str
    tags: tuple[str, ...]


DETECTOR = ModelKind(
    "text-detection",
    "object-detection",
    "A scene text detector",
    "text detector",
    "detector",
    "street.jpg",
    ("text-detection", "scene-text-detection", "ocr", "tcm"),
)
RECOGNIZER = ModelKind(
    "text-recognition",
    "image-to-text",
    "A recognizer of words in photos",
    "text recogniser",
    "recognizer",
    "word.png",
    ("text-recognition", "scene-text-recognition", "ocr", "clip4str"),
)
TWO_MODELS = ModelKind(
    "text-spotting",
    "image-to-text",
    "A scene text detector and a recognizer",
    "text detector and recogniser",
    "reader",
    "street.jpg",
    ("text-spotting", "text-detection", "scene-text-recognition", "ocr", "tcm", "clip4str"),
)
SPOTTER = TWO_MODELS._replace(
    what="A scene text spotter, which finds words and reads them,",
    noun="text spotter",
    tags=("text-spotting", "text-detection", "scene-text-recognition", "ocr", "tcm"),
)
ROTATED = ModelKind(
    "rotated-object-detection",
    "object-detection",
    "A detector of objects that lie any way round",
    "detector of rotated objects",
    "detector",
    "scene.png",
    ("rotated-object-detection", "oriented-object-detection", "remote-sensing", "tcm"),
)

OF_MODEL_TYPE = {"tcm": DETECTOR, "clip4str": RECOGNIZER, "tcm_spotting": SPOTTER, "tcm_rotated": ROTATED}
"""By the `model_type` of the configuration."""
