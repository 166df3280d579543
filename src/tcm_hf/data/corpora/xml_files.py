"""XML with the line of each element, so that what is broken can be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree
from xml.parsers import expat

from tcm_hf.data.corpora.problems import FileError

__all__ = ["LineElement", "read_xml"]


class LineElement(ElementTree.Element):
    """An element of a file, with the number of the line, from 1, on which it begins."""

    line: int = 0

    def children(self, path: str) -> Iterator[LineElement]:
        """The elements of a path below this one, as of `iterfind`."""
        return cast("Iterator[LineElement]", self.iterfind(path))

    def text_of(self, tag: str) -> str:
        """The text of a child, without white space around it.

        Raises:
            ValueError: there is no such child, or it is empty.
        """
        text = (self.findtext(tag) or "").strip()
        if not text:
            raise ValueError(f"expected a text in <{tag}> of <{self.tag}>")
        return text

    def numbers(self, *names: str) -> list[float]:
        """Attributes as numbers.

        Raises:
            ValueError: one is missing or no number.
        """
        try:
            return [float(self.attrib[name]) for name in names]
        except (KeyError, ValueError):
            raise ValueError(
                f"expected numbers in {', '.join(names)} of <{self.tag}>, got {dict(self.attrib)}"
            ) from None


def read_xml(path: Path) -> LineElement:
    """The root of an XML file; external entities are not followed.

    Raises:
        ValueError: it is not there or no XML; the message has file and line.
    """
    builder = ElementTree.TreeBuilder(element_factory=cast(Any, LineElement))
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = cast(LineElement, builder.start(tag, attributes))
        element.line = parser.CurrentLineNumber

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
        return cast(LineElement, builder.close())
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise FileError(path, error.lineno, f"expected XML ({reason})") from error
    except OSError as error:
        raise FileError(path, None, f"cannot be read ({error.strerror})") from error
    except (LookupError, ValueError) as error:  # the file names an encoding that there is not, or not for XML
        raise FileError(path, 1, f"expected XML ({error})") from error
