"""OpenDocument and EPUB files with the parts that LibreOffice and Calibre write, for tests of single features."""

from knowledge.tests.sample_files import XML, build_zip

NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style", "chart": "chart",
        "presentation": "presentation", "svg": "svg-compatible", "meta": "meta",
    }.items()
) + ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip
META = (
    f"{XML}<office:document-meta {NAMES}><office:meta><dc:title>About tides</dc:title>"
    "<dc:creator>Ada</dc:creator></office:meta></office:document-meta>"
)


def open_file(kind, body, styles="", common_styles=None, **parts):
    """Return a file of the kind `text`, `spreadsheet` or `presentation`; `parts` are written as they are."""
    content = (
        f"{XML}<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    return build_zip(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": content,
            "meta.xml": META,
            **({"styles.xml": common_styles} if common_styles else {}),
            **{name.replace("__", "/") + ".xml": xml for name, xml in parts.items()},
        }
    )


def paragraph(text):
    return f"<text:p>{text}</text:p>"


def chapter(title, text):
    return f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title></head><body>{text}</body></html>'


def epub(*chapters, **parts):
    """Return a book of the texts of chapters."""
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    package = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>Sea book</dc:title><dc:creator>Ada</dc:creator></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>"
    )
    container = (
        f'{XML}<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
    )
    return build_zip(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/content.opf": package,
            **{f"OEBPS/text/c {n}.xhtml": text for n, text in enumerate(chapters)},
            **{f"META-INF/{name}.xml": text for name, text in parts.items()},
        }
    )
