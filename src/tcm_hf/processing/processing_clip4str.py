"""Processor of CLIP4STR: crops and words -> model inputs, model outputs -> words."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import torch
from transformers.image_processing_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin

from .character_codes import CHARSET_94, MAX_LABEL_LENGTH
from .image_processing_clip4str import CLIP4STRImageProcessor
from .post_processing_clip4str import CLIP4STRPostProcessing
from .tokenization_clip4str import CaptionBPETokenizer, CharacterTokenizer

_CAPTIONS = "caption_tokenizer"  # folder beside the processor's files, and the argument
_FOR_MODELS = ("trust_remote_code", "dtype", "torch_dtype")


class CLIP4STRProcessor(CLIP4STRPostProcessing, ProcessorMixin):
    """Image processor, character tokenizer and, optionally, the tokenizer of captions in one folder.

    The model makes its captions itself; `caption_tokenizer` is there to look at them and to train others.

    Args:
        image_processor: a CLIP4STRImageProcessor, of either backend.
        tokenizer: a CharacterTokenizer.
        caption_tokenizer: a CaptionBPETokenizer or None.

    Example:
        >>> from tcm_hf.processing.processing_clip4str import CLIP4STRProcessor
        >>> processor = CLIP4STRProcessor.from_preset("clip4str-tiny")
        >>> processor(text=["Stop!", "a"], return_tensors="pt").labels
        tensor([[  55,   30,   25,   26,   63,    0],
                [  11,    0, -100, -100, -100, -100]])
    """

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, caption_tokenizer: Any = None):
        super().__init__(image_processor, tokenizer)
        self.caption_tokenizer = caption_tokenizer

    @classmethod
    def from_preset(
        cls,
        name: str,
        charset: str | Iterable[str] = CHARSET_94,
        max_label_length: int = MAX_LABEL_LENGTH,
        **image_overrides: Any,
    ) -> Self:
        """Processor of a published or shipped model, or of a new one for other characters.

        Args:
            name: a name of `CLIP4STRImageProcessor.from_preset`.
            charset: what the model reads, see `CharacterTokenizer.from_charset`.
            max_label_length: most characters of a word.
            **image_overrides: attributes that replace the preset's of the image processor.

        Raises:
            ValueError: if there is no such preset, or the charset has no or repeated characters.
        """
        tokenizer = CharacterTokenizer.from_charset(charset, max_label_length)
        return cls(CLIP4STRImageProcessor.from_preset(name, **image_overrides), tokenizer)

    @classmethod
    def for_config(
        cls,
        config: Any,
        caption_vocabulary: tuple[dict[str, int], list[tuple[str, str]]] | None = None,
        **image_settings: Any,
    ) -> Self:
        """The processor that belongs to a model's configuration.

        Args:
            config: a `CLIP4STRConfig`: tells image size, characters, longest word and caption length.
            caption_vocabulary: token -> id and the merges, lowest rank first; there is no tokenizer of
                captions without it.
            **image_settings: attributes of the image processor other than its size.

        Raises:
            ValueError: if the charset has no or repeated characters.
        """
        height, width = config.image_size_hw
        captions = None
        if caption_vocabulary is not None:
            vocab, merges = caption_vocabulary
            captions = CaptionBPETokenizer(vocab=vocab, merges=merges, model_max_length=config.caption_length)
        return cls(
            CLIP4STRImageProcessor(size={"height": height, "width": width}, **image_settings),
            CharacterTokenizer.from_charset(config.charset, config.max_label_length),
            captions,
        )

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] | None = None,
        truncation: bool = False,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Prepare crops, words or both.

        Args:
            images: crops of words, anything that the image processor takes.
            text: the word, or one for each image. Characters outside the charset are dropped, or raise, as
                the tokenizer was told.
            truncation: cut words that are longer than the model's, instead of refusing them.
            return_tensors: "pt" or "np"; None for lists.
            **kwargs: settings of the image processor.

        Returns:
            "pixel_values" `(B, 3, H, W)` if there are images; "labels" `(B, longest + 1)` if there is text:
            ids of the characters, 0 for the end, then -100.

        Raises:
            ValueError: if there is neither, a word is no string or too long, the numbers of images and words
                differ, or there are no such tensors.
        """
        if images is None and text is None:
            raise ValueError("Expected `images`, `text` or both: got neither.")
        if return_tensors not in (None, "pt", "np"):
            raise ValueError(
                f'`return_tensors` must be "pt" (torch), "np" (numpy) or None (lists): got '
                f"{return_tensors!r}."
            )
        data: dict[str, Any] = {}
        if images is not None:
            data.update(self.image_processor(images, return_tensors=return_tensors, **kwargs))
        if text is not None:
            words = list(text) if isinstance(text, Iterable) and not isinstance(text, str) else [text]
            labels = self.tokenizer.make_labels(words, truncation)
            if images is not None and len(data["pixel_values"]) != len(labels):
                raise ValueError(
                    f"Expected one word for each image: got {len(labels)} words and "
                    f"{len(data['pixel_values'])} images."
                )
            if return_tensors is None:
                data["labels"] = labels.tolist()
            else:
                data["labels"] = labels if return_tensors == "np" else torch.from_numpy(labels)
        return BatchFeature(data)

    def batch_decode(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        """The words of a batch, of the model's logits or of ids.

        Args:
            sequences: logits `(B, T, n + 1)`, or ids as `CharacterTokenizer.batch_decode` takes them.
            *args: as the tokenizer's.
            **kwargs: for logits, those of `post_process_text_recognition`; for ids as the tokenizer's.

        Returns:
            For logits what `post_process_text_recognition` returns: dicts of the text, its score and the
            scores of its characters. For ids a list of strings.

        Raises:
            ValueError: if the logits do not fit to the tokenizer.
        """
        is_array = isinstance(sequences, np.ndarray | torch.Tensor)
        if is_array and sequences.ndim == 3 and not _is_whole(sequences):
            return self.post_process_text_recognition({"logits": torch.as_tensor(sequences)}, **kwargs)
        return super().batch_decode(sequences, *args, **kwargs)

    @property
    def model_input_names(self) -> list[str]:
        """What a model takes from here."""
        return [*self.image_processor.model_input_names, "labels"]

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that every processor has; the third is optional, which transformers does not know."""
        return ["image_processor", "tokenizer"]

    def to_dict(self) -> dict[str, Any]:
        """Settings as saved: of the image processor, and whether there is a tokenizer of captions."""
        captions, self.caption_tokenizer = self.caption_tokenizer, None
        try:
            settings = super().to_dict()
        finally:
            self.caption_tokenizer = captions
        settings.pop(_CAPTIONS, None)
        return settings if captions is None else settings | {_CAPTIONS: {"subfolder": _CAPTIONS}}

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **kwargs: Any) -> Any:
        """Write all parts into one folder; the tokenizer of captions into `caption_tokenizer` below it.

        Args:
            save_directory: folder to write.
            push_to_hub: whether to push it, too.
            **kwargs: arguments of pushing.
        """
        if self.caption_tokenizer is not None:
            self.caption_tokenizer.save_pretrained(f"{save_directory}/{_CAPTIONS}")
        return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    @classmethod
    def _load_tokenizer_from_pretrained(
        cls, sub_processor_type: str, pretrained_model_name_or_path: Any, subfolder: str = "", **kwargs: Any
    ) -> CharacterTokenizer:
        """Our tokenizer beside this class; `AutoTokenizer` would prefer the code of a repository to ours."""
        own = _without_options_of_models(kwargs)
        return CharacterTokenizer.from_pretrained(pretrained_model_name_or_path, subfolder=subfolder, **own)

    @classmethod
    def _get_arguments_from_pretrained(
        cls, pretrained_model_name_or_path: Any, processor_dict: dict[str, Any] | None = None, **kwargs: Any
    ) -> list:
        captions = (processor_dict or {}).pop(_CAPTIONS, None)
        parts = super()._get_arguments_from_pretrained(
            pretrained_model_name_or_path, processor_dict, **kwargs
        )
        if captions is not None:
            folder = "/".join(filter(None, [kwargs.pop("subfolder", ""), captions["subfolder"]]))
            own = _without_options_of_models(kwargs)
            tokenizer = CaptionBPETokenizer.from_pretrained(
                pretrained_model_name_or_path, subfolder=folder, **own
            )
            # Without its files transformers makes one that knows nothing but the special tokens.
            if not set(tokenizer.get_vocab()).difference(tokenizer.all_special_tokens):
                raise ValueError(
                    f"The processor of {pretrained_model_name_or_path} has a tokenizer of captions: expected "
                    f"{folder}/tokenizer.json beside it, and found none. Copy it there, or take "
                    f'"{_CAPTIONS}" out of processor_config.json: the model reads without it.'
                )
            parts.append(tokenizer)
        return parts


def _without_options_of_models(options: dict[str, Any]) -> dict[str, Any]:
    """What a tokenizer takes of what `pipeline()` passes on; one that kept a dtype could not be saved."""
    return {name: value for name, value in options.items() if name not in _FOR_MODELS}


def _is_whole(array: np.ndarray | torch.Tensor) -> bool:
    """Whether these are whole numbers."""
    if isinstance(array, torch.Tensor):
        return not array.is_floating_point()
    return not np.issubdtype(array.dtype, np.floating)


__all__ = ["CLIP4STRProcessor"]
