"""Words read by the model that finds them: an end-to-end spotter."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .spotting_results import ReadWord


class SpotterReading:
    """Takes what a spotter reads.

    Args:
        image_processor: the spotter's, which decodes places and texts.
        config: the spotter's.

    Raises:
        ValueError: if the two do not mean the same characters.
    """

    parameters: ClassVar[tuple[str, ...]] = (
        "recognition_threshold",
        "lexicon",
        "max_lexicon_distance",
        "charset",
    )
    """Parameters of the pipeline that it goes by."""
    recognizer = None

    def __init__(self, image_processor: Any, config: Any):
        characters = getattr(config, "characters", image_processor.characters)
        if characters != image_processor.characters:
            raise ValueError(
                f"The model reads the characters {characters!r:.120}, and the image processor knows "
                f"{image_processor.characters!r:.120}: give it `characters=model.config.characters`."
            )
        self.image_processor = image_processor

    def prepare_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Check parameters against the spotter, and prepare the lexicon once for all photos.

        Raises:
            ValueError: For what only a recogniser of crops goes by, characters that the model does not read,
                or a lexicon that is none.
        """
        if parameters.get("charset") is not None:
            self.image_processor.check_charset(parameters["charset"])
        if parameters.get("lexicon") is None:
            return parameters
        return parameters | {"lexicon": self.image_processor.make_lexicon(parameters["lexicon"])}

    def read(
        self, images: Sequence[Mapping[str, Any]], decoding: dict[str, Any], reading: dict[str, Any]
    ) -> list[list[ReadWord]]:
        """Decode the words of photos; those that cannot be read are left out.

        Args:
            images: per photo "tile_maps", "boxes" and "size_hw" as the detection pipeline has them.
            decoding: settings of the decoding of places.
            reading: those of `parameters` that were given.
        """
        least = reading.get("recognition_threshold")
        if least is None:
            least = self.image_processor.recognition_threshold
        settings = decoding | reading | {"recognition_threshold": least}
        return [self._words(image, settings) for image in images]

    def _words(self, image: Mapping[str, Any], settings: dict[str, Any]) -> list[ReadWord]:
        found = self.image_processor.post_process_tiles(
            image["tile_maps"], image["boxes"], image["size_hw"], **settings
        )
        corners = self.image_processor.get_word_corners(found["polygons"])
        return [
            {
                "read": read,
                "detection_score": score,
                "outline": polygon.tolist(),
                "corners": corners_xy.tolist(),
            }
            for read, score, polygon, corners_xy in zip(
                found["readings"], found["scores"].tolist(), found["polygons"], corners, strict=True
            )
        ]
