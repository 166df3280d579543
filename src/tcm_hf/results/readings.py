"""From what `pipeline("text-spotting")` gives with `output="paragraphs"` to the record of a photo."""

from typing import TYPE_CHECKING, Any

from tcm_hf.results.records import READINGS, Record, image_record, rounded

if TYPE_CHECKING:
    from tcm_hf.pipelines.spotting_results import SpottedParagraph


def reading_record(
    source: dict[str, Any],
    model: dict[str, Any],
    params: dict[str, Any],
    paragraphs: "list[SpottedParagraph]",
    *,
    with_lines: bool = False,
) -> Record:
    """The words of a photo, in the order of reading.

    Args:
        source: See `image_source`.
        model: See `model_facts`.
        params: The pipeline's parameters with their effective values.
        paragraphs: What the pipeline returned.
        with_lines: Whether the record has "lines", too.
    """
    record = image_record(READINGS, source, model, params, words_in(paragraphs))
    return {**record, "lines": lines_in(paragraphs)} if with_lines else record


def words_in(paragraphs: "list[SpottedParagraph]") -> list[Any]:
    """All words, in the order of reading."""
    return [word for paragraph in paragraphs for line in paragraph["lines"] for word in line["words"]]


def lines_in(paragraphs: "list[SpottedParagraph]") -> list[dict[str, Any]]:
    """The lines, with the places of their words in the record's instances instead of the words."""
    lines: list[dict[str, Any]] = []
    place = 0
    for number, paragraph in enumerate(paragraphs):
        for line in paragraph["lines"]:
            places = list(range(place, place + len(line["words"])))
            lines.append(rounded({**line, "paragraph": number, "words": places}))
            place += len(places)
    return lines
