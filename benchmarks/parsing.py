"""`python -m benchmarks.parsing [PATH ...] [--files FOLDER] [--verbose]`: what the parser keeps of real files.

Without a path, the files are written from texts in this repository by LibreOffice, Pandoc, Chromium, WeasyPrint, LaTeX
and Ghostscript, as far as they are installed. Each file is parsed in the sandbox. Its words are compared with those of
its source and of another converter (LibreOffice, pdftotext or Pandoc), and its tables with those of the source. The
exit code is 1 if a limit is missed.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import parsing_producers as producers
from .parsing_measures import FileResult, FormatResult, Sample, compare, list_missed_limits
from .parsing_sources import Source, list_documentation, list_flat_sources, list_papers, write_language_pages

MEGABYTES, SECONDS = 384, 60
TARGETS = {
    ".fodt": ("odt", "docx", "rtf", "pdf", "html", "epub"),
    ".fods": ("ods", "xlsx", "pdf"),
    ".fodp": ("odp", "pptx", "pdf"),
    ".html": ("odt", "docx", "rtf", "pdf"),
}
PANDOC_TARGETS = ("docx", "odt", "epub", "html", "tex", "ipynb", "rst", "rtf")
# Languages that pdflatex typesets with its default fonts.
LATIN = ("de", "en", "es", "fr", "it", "nl")
REWRITTEN = 4
# Files whose references LibreOffice and Pandoc write.
TEXTS, SHEETS, SLIDES = (".docx", ".odt", ".rtf"), (".xlsx", ".ods"), (".pptx", ".odp")
MARKUP = {".epub": "epub", ".html": "html", ".tex": "latex", ".ipynb": "ipynb", ".rst": "rst"}
Written = tuple[Path, str, Source | None]


def write_files(folder: Path) -> Iterator[Written]:
    """Yield the files that the installed programs write, with the name of the program and the source."""
    pages, papers = write_language_pages(folder / "sources"), list_papers()
    prints: list[Written] = []
    for written in _write_with_libreoffice([*list_flat_sources(), *pages], folder / "libreoffice"):
        prints += [written] if written[0].suffix == ".pdf" else []
        yield written
    yield from _write_with_pandoc(folder / "pandoc")
    missing = producers.list_missing()
    for number, source in enumerate(pages):
        if "chromium" not in missing and number % 2:
            yield (
                producers.print_with_chromium(source.path, _name(source, folder / "chromium")),
                "chromium",
                source,
            )
        if "weasyprint" not in missing:
            yield (
                producers.print_with_weasyprint(source.path, _name(source, folder / "weasyprint")),
                "weasyprint",
                source,
            )
    if "pdflatex" not in missing:
        yield from _write_with_latex(pages, papers, folder / "latex")
    for path, _, written_source in prints[:REWRITTEN] if "gs" not in missing else ():
        target = folder / "ghostscript" / path.name
        yield producers.rewrite_with_ghostscript(path, target), "ghostscript", written_source


def _name(source: Source, folder: Path) -> Path:
    return folder / f"{source.path.stem}.pdf"


def _write_with_libreoffice(sources: list[Source], folder: Path) -> Iterator[Written]:
    """Write all files of a format with one or two calls."""
    by_stem = {source.path.stem: source for source in sources}
    for target in dict.fromkeys(name for names in TARGETS.values() for name in names):
        paths = [each.path for each in sources if target in TARGETS[each.path.suffix]]
        for path in producers.convert_with_libreoffice(paths, target, folder / target):
            yield path, "libreoffice", by_stem[path.stem]


def _write_with_pandoc(folder: Path) -> Iterator[Written]:
    for source in list_documentation():
        for suffix in PANDOC_TARGETS:
            target = folder / f"{source.path.stem}.{suffix}"
            yield producers.convert_with_pandoc(source.path, target), "pandoc", None


def _write_with_latex(pages: list[Source], papers: list[Source], folder: Path) -> Iterator[Written]:
    for source in papers:
        yield producers.typeset_with_latex(source.path, folder), "pdflatex", source
    for source in (each for each in pages if each.path.stem.rpartition("-")[2] in LATIN):
        text = producers.convert_with_pandoc(source.path, folder / f"{source.path.stem}.tex")
        yield producers.typeset_with_latex(text, folder), "pdflatex", source


def add_references(files: list[Written], folder: Path) -> list[Sample]:
    """Return the files with the text that another converter reads; LibreOffice converts many at once."""
    references: dict[Path, str] = {}
    for number, path in enumerate(path for path, _, _ in files):
        if path.suffix == ".pdf":
            references[path] = _read_pdf(path, folder / f"{number}.txt")
        elif path.suffix in MARKUP:
            references[path] = _read_markup(path, folder / f"{number}.txt")
    folders = dict.fromkeys(path.parent for path, _, _ in files if path not in references)
    for number, parent in enumerate(folders):
        paths = [path for path, _, _ in files if path.parent == parent and path not in references]
        references |= _read_with_libreoffice(paths, folder / f"folder-{number}")
    return [Sample(path, producer, references.get(path, ""), source) for path, producer, source in files]


def _read_pdf(path: Path, target: Path) -> str:
    producers.run(["pdftotext", "-enc", "UTF-8", str(path.resolve()), str(target.resolve())], target.parent)
    return target.read_text(errors="replace")


def _read_markup(path: Path, target: Path) -> str:
    options = ("--from", MARKUP[path.suffix], "--to", "plain", "--wrap=none")
    return producers.convert_with_pandoc(path, target, *options).read_text()


def _read_with_libreoffice(paths: list[Path], folder: Path) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for suffixes, target in ((TEXTS, producers.TEXT_FILTER), (SHEETS, producers.CSV_FILTER), (SLIDES, "pdf")):
        for suffix in suffixes:
            inputs = [path for path in paths if path.suffix == suffix]
            results = (
                producers.convert_with_libreoffice(inputs, target, folder / suffix[1:]) if inputs else []
            )
            for path in inputs:
                texts = [
                    _read_pdf(each, each.with_suffix(".txt"))
                    if each.suffix == ".pdf"
                    else each.read_text("utf-8-sig")
                    for each in results
                    if each.stem == path.stem or (suffix in SHEETS and each.stem.startswith(f"{path.stem}-"))
                ]
                found[path] = "\n".join(texts)
    return found


def parse_samples(samples: list[Sample]) -> list[FileResult]:
    """Parse the files as a worker does, and compare them."""
    from knowledge.parsing import ParseError
    from knowledge.parsing.sandbox import ParserPool

    pool, results = ParserPool(1), []
    for sample in samples:
        try:
            with sample.path.open("rb") as stream:
                parsed = pool.parse(stream, sample.path.name, megabytes=MEGABYTES, seconds=SECONDS)
        except ParseError as error:
            results.append(FileResult(sample, 0.0, None, error=str(error)))
            continue
        warnings = {each["code"]: each["count"] for each in parsed.warnings}
        results.append(compare(sample, parsed.text, warnings))
    pool.end()
    return results


def report(results: list[FileResult], *, is_own: bool, is_verbose: bool) -> int:
    """Print the figures by format; return 1 if a limit is missed."""
    formats: dict[str, list[FileResult]] = {}
    for each in results:
        formats.setdefault(f"{each.sample.path.suffix[1:]} {each.sample.producer}".strip(), []).append(each)
    print(
        f"{'format':<22}{'files':>6}  {'words kept':<11}  {'>=0.95':>6}  {'extra':>6}  {'tables':>7}  silent"
    )
    for name, files in sorted(formats.items()):
        print(FormatResult(name, files).format_line())
    print(FormatResult("all", results).format_line())
    for each in results:
        if is_verbose and (not each.is_complete or not all(each.tables) or each.error):
            lost = " ".join(each.lost[:12])
            path = f"{each.sample.producer}/{each.sample.path.name}"
            tables = f"tables {sum(each.tables)}/{len(each.tables)}"
            print(f"{path}: words {each.words or 0:.3f}, {tables}, {each.warnings} {each.error} lost: {lost}")
    missed = list_missed_limits(results, is_own=is_own)
    for name in missed:
        print(f"missed: {name}")
    return int(bool(missed))


def list_own_files(paths: list[Path]) -> list[Written]:
    """Return the supported files in the folders."""
    from knowledge.parsing import discover

    return [(file, "", None) for path in paths for file in discover(path.resolve())]


def main(arguments: list[str]) -> int:
    """Write or find the files, parse them and print the table; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.parsing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="own files or folders to measure instead"
    )
    parser.add_argument("--files", metavar="FOLDER", type=Path, help="keep the written files in this folder")
    parser.add_argument("--verbose", action="store_true", help="also list the files that lose words or rows")
    options = parser.parse_args(arguments)
    if missing := producers.list_missing(producers.REQUIRED):
        packages = " ".join(producers.PACKAGES[name] for name in missing)
        print(
            f"Skipped: {', '.join(missing)} not installed. Run: apt-get install --no-install-recommends {packages}"
        )
        return 0
    for name in producers.list_missing():
        print(f"Without files of {name}: apt-get install --no-install-recommends {producers.PACKAGES[name]}")
    with tempfile.TemporaryDirectory(prefix="conclave-parsing-") as temporary:
        folder = options.files or Path(temporary)
        references = Path(temporary) / "references"
        references.mkdir()
        files = list_own_files(options.paths) if options.paths else list(write_files(folder.resolve()))
        results = parse_samples(add_references(files, references))
    return report(results, is_own=bool(options.paths), is_verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
