"""Reader for images: their text, if Tesseract is installed."""

from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from knowledge.parsing import ocr
from knowledge.parsing.document import ParseError, ReaderResult, TextBlock

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
MAX_IMAGE_PIXELS, MAX_PAGES = 40_000_000, 200
# Images with fewer pixels are enlarged: Tesseract expects letters of at least 20 pixels.
SMALL = 1_000_000


def read_image(data: bytes, name: str) -> ReaderResult:
    """Return the text of an image; a page of a TIFF file is a page.

    Raises:
        ParseError: If it is damaged, too large or without text, or OCR is not available.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image, name)
            if not ocr.is_available():
                raise ParseError(f"{name}: the image has no text layer and needs OCR")
            warnings: Counter[str] = Counter()
            pieces = list(_read_pages(image, name, warnings))
    except (ParseError, MemoryError):
        raise
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise ParseError(f"{name}: damaged image ({type(error).__name__})") from error
    if not pieces:
        raise ParseError(f"{name}: no text was found in the image by OCR")
    return ReaderResult(pieces, "", {"ocr_pages": len(pieces)}, warnings)


def _check_size(image: Any, name: str) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise ParseError(f"{name}: the image has more than {MAX_IMAGE_PIXELS:,} pixels")


def _read_pages(image: Any, name: str, warnings: Counter[str]) -> Iterator[TextBlock]:
    for number in range(getattr(image, "n_frames", 1)):
        if number >= MAX_PAGES or not ocr.is_available():
            warnings["needs_ocr"] += 1
            continue
        image.seek(number)
        _check_size(image, name)
        grey = _prepare(image)
        found = ocr.read_pixels(grey.width, grey.height, grey.tobytes())
        if found is not None:
            warnings["ocr_uncertain"] += found.confidence < ocr.MIN_CONFIDENCE
            yield TextBlock(found.text, (), number + 1)


def _prepare(image: Any) -> Any:
    """Return an image in grey on white, upright, with a number of pixels that Tesseract reads well."""
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("RGBA", "LA", "PA", "P"):
        turned = turned.convert("RGBA")
        white = Image.new("RGBA", turned.size, "white")
        turned = Image.alpha_composite(white, turned)
    grey = turned.convert("L")
    pixels = grey.width * grey.height
    factor = min((ocr.MAX_PIXELS / pixels) ** 0.5, 2.0 if pixels < SMALL else 1.0)
    if factor == 1.0:
        return grey
    return grey.resize((max(1, int(grey.width * factor)), max(1, int(grey.height * factor))))
