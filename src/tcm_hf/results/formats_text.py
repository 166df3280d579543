"""Readings as plain text: lines in reading order, an empty line between paragraphs."""

from collections.abc import Iterable

from tcm_hf.results.layout import paragraph_text, paragraphs_of
from tcm_hf.results.records import Record, utf8_text


def render_text(record: Record) -> str:
    """The text of one photo or page."""
    text = "\n\n".join(map(paragraph_text, paragraphs_of(record)))
    return f"{text}\n" if text else ""


def render_headed_text(record: Record) -> str:
    """The text of one photo of several, under its name, as `head` prints several files."""
    source = record["source"]
    page = f" page {source['page']}" if "page" in source else ""
    return f"==> {utf8_text(source['path'])}{page} <==\n{render_text(record)}\n"


def render_all_text(records: Iterable[Record]) -> str:
    """The texts of all photos; where there is only one, without its name."""
    records = list(records)
    render = render_headed_text if len(records) > 1 else render_text
    return "".join(map(render, records))
