"""The recogniser: crops of words to their texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.modeling.onnx_session import ONNX_FILES, OnnxSession
from tcm_hf.onnx_reader.checkpoint_files import RECOGNIZER, read_config, read_json
from tcm_hf.onnx_reader.pictures import Preparation
from tcm_hf.pipelines.crop_reading import crop_height_px
from tcm_hf.processing.character_codes import CharacterCodes, read_charset
from tcm_hf.processing.post_processing_clip4str import CLIP4STRPostProcessing


class Recognizer(CLIP4STRPostProcessing):
    """Reads crops of words.

    Args:
        folder: of the exported recogniser.
        num_threads: of onnxruntime; None for all cores.
        backend: a name of `ONNX_FILES`.

    Raises:
        ValueError: if the folder holds no exported recogniser.
    """

    # `CropReading` sets it on the pipelines that it calls.
    call_count = 0

    def __init__(self, folder: Path, num_threads: int | None = None, backend: str = "onnx"):
        config = read_config(folder, RECOGNIZER)
        self.preparation = Preparation(read_json(folder / "processor_config.json")["image_processor"])
        self.tokenizer = CharacterCodes(read_charset(folder / "charset.json"), config["max_label_length"])
        self.session = OnnxSession(folder / ONNX_FILES[backend], num_threads)

    @property
    def crop_height_px(self) -> int:
        """See `crop_height_px`."""
        return crop_height_px(self.preparation.size)

    def prepare_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Check the charset, and prepare the lexicon once for all crops.

        Raises:
            ValueError: for characters that the model does not read, or a lexicon that is none.
        """
        if (charset := parameters.get("charset")) is not None:
            self.check_charset(charset)
        lexicon = parameters.get("lexicon")
        return parameters if lexicon is None else parameters | {"lexicon": self.make_lexicon(lexicon)}

    def __call__(
        self,
        crops: Sequence[np.ndarray],
        batch_size: int = 16,
        return_characters: bool = False,
        **decoding: Any,
    ) -> list[dict[str, Any]]:
        """Read crops.

        Args:
            crops: `(h, w, 3)` uint8 RGB, one word each.
            batch_size: words at once; speed and memory only.
            return_characters: whether the characters come with their probabilities.
            **decoding: of `post_process_text_recognition`: lexicon, max_lexicon_distance, charset.

        Returns:
            Per crop the same as of `pipeline("text-recognition")`.
        """
        size_hw = (self.preparation.size["height"], self.preparation.size["width"])
        found: list[dict[str, Any]] = []
        for start in range(0, len(crops), batch_size):
            pixel_values = self.preparation.pixel_values(crops[start : start + batch_size], size_hw)
            outputs = self.session.run({"pixel_values": pixel_values})
            found += self.post_process_text_recognition(outputs, **decoding)
        if not return_characters:
            for one in found:
                del one["characters"]
        return found
