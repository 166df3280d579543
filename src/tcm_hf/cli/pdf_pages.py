"""Pages of PDF files as pictures, through pypdfium2 (the optional extra `pdf`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PDF_SUFFIX = ".pdf"
POINTS_PER_INCH = 72
# About 500 MB of RGB: beyond it, a page is a mistake or an attack.
MAX_PIXELS = 178_956_970


def is_pdf(path: Path) -> bool:
    """Whether the name says so; a file that says nothing else is asked itself."""
    if path.suffix:
        return path.suffix.lower() == PDF_SUFFIX
    try:
        with path.open("rb") as file:
            return file.read(5) == b"%PDF-"
    except OSError:
        return False


def import_pdfium() -> Any:
    """The package pypdfium2.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import pypdfium2
    except ImportError as error:
        raise ValueError("PDF files need pypdfium2: pip install 'tcm_hf[pdf]'") from error
    return pypdfium2


@contextmanager
def opened_pdf(path: Path) -> Iterator[Any]:
    """Open a PDF as a `pypdfium2.PdfDocument`.

    Raises:
        ValueError: If pypdfium2 is missing, or the file is broken or protected by a password.
        OSError: If there is no such file.
    """
    pdfium = import_pdfium()
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        protected = "password" in str(error).lower()
        reason = "is protected by a password" if protected else "is broken or no PDF"
        raise ValueError(f"the file {reason}") from error
    try:
        yield document
    finally:
        document.close()


def page_count(path: Path) -> int:
    """How many pages a PDF has; errors as `opened_pdf`."""
    with opened_pdf(path) as document:
        return len(document)


def render_page(path: Path, page: int, dpi: int) -> "np.ndarray":
    """Draw one page, upright as a reader shows it, annotations and filled forms included.

    Args:
        path: The PDF file.
        page: From 1.
        dpi: Pixels per inch.

    Returns:
        RGB, uint8 (H, W, 3).

    Raises:
        ValueError: If the page cannot be drawn, or would be too large; others as `opened_pdf`.
    """
    pdfium = import_pdfium()
    with opened_pdf(path) as document:
        try:
            # Fields of forms are drawn only where this was called before the page is loaded.
            document.init_forms()
            pdf_page = document[page - 1]
            width, height = (side * dpi / POINTS_PER_INCH for side in pdf_page.get_size())
            if width * height > MAX_PIXELS:
                raise ValueError(
                    f"page {page} has {width:.0f}x{height:.0f} pixels at {dpi} dpi, more than "
                    f"{MAX_PIXELS // 10**6} million: use a lower --dpi"
                )
            bitmap = pdf_page.render(scale=dpi / POINTS_PER_INCH, rev_byteorder=True)
            # A copy: the bitmap's memory goes with the document.
            return bitmap.to_numpy()[:, :, :3].copy()
        except pdfium.PdfiumError as error:
            raise ValueError(f"page {page} cannot be drawn: {error}") from error
