"""Programs that write and convert the files of the parsing benchmark: LibreOffice, Pandoc, Chromium and others."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

PACKAGES = {
    "soffice": "libreoffice-writer libreoffice-calc libreoffice-impress libreoffice-math",
    "pandoc": "pandoc",
    "pdftotext": "poppler-utils",
    "chromium": "chromium",
    "weasyprint": "weasyprint",
    "pdflatex": "texlive-latex-recommended texlive-fonts-recommended lmodern",
    "gs": "ghostscript",
}
REQUIRED = ("soffice", "pandoc", "pdftotext")
SECONDS = 300
TEXT_FILTER = "txt:Text (encoded):UTF8"
# All sheets, separated by commas, UTF-8, cells as shown.
CSV_FILTER = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"


def list_missing(programs: Iterable[str] = tuple(PACKAGES)) -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in programs if shutil.which(name) is None]


def run(command: list[str], folder: Path) -> None:
    """Run a program in `folder`.

    Raises:
        RuntimeError: If it fails; the message has the end of its output.
    """
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout)[-500:]}")


def convert_with_libreoffice(paths: list[Path], target: str, folder: Path) -> list[Path]:
    """Convert the files with one call of LibreOffice and return the files that it wrote.

    Args:
        target: Suffix, or suffix and filter, as for `--convert-to`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for is_page in (False, True):
        inputs = [path for path in paths if (path.suffix == ".html") is is_page]
        if not inputs:
            continue
        options = ["--infilter=HTML (StarWriter)"] if is_page else []
        profile = f"-env:UserInstallation=file://{folder.parent.resolve()}/profile"
        command = [
            "soffice",
            profile,
            "--headless",
            *options,
            "--convert-to",
            target,
            "--outdir",
            str(folder),
        ]
        run([*command, *(str(path.resolve()) for path in inputs)], folder)
        for path in inputs:
            written += sorted(folder.glob(f"{path.stem}.{target.partition(':')[0]}"))
            written += (
                sorted(folder.glob(f"{path.stem}-*.{target.partition(':')[0]}")) if "csv" in target else []
            )
    return written


def convert_with_pandoc(path: Path, target: Path, *options: str) -> Path:
    """Convert a file to the format of the suffix of `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(
        ["pandoc", "--standalone", "--quiet", *options, "-o", str(target.resolve()), str(path.resolve())],
        target.parent,
    )
    return target


def print_with_chromium(path: Path, target: Path) -> Path:
    """Print a page as PDF."""
    target.parent.mkdir(parents=True, exist_ok=True)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    profile = f"--user-data-dir={target.parent.resolve()}/chromium-profile"
    run(
        ["chromium", *options, profile, f"--print-to-pdf={target.resolve()}", path.resolve().as_uri()],
        target.parent,
    )
    return target


def print_with_weasyprint(path: Path, target: Path) -> Path:
    """Print a page as PDF."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["weasyprint", str(path.resolve()), str(target.resolve())], target.parent)
    return target


def typeset_with_latex(path: Path, folder: Path) -> Path:
    """Typeset a LaTeX file as PDF."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["pdflatex", "-interaction=nonstopmode", f"-output-directory={folder.resolve()}"]
    for _ in range(2):  # the second run resolves references
        run([*command, str(path.resolve())], folder)
    return folder / f"{path.stem}.pdf"


def rewrite_with_ghostscript(path: Path, target: Path) -> Path:
    """Write a PDF again with Ghostscript."""
    target.parent.mkdir(parents=True, exist_ok=True)
    options = ["-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfwrite", f"-sOutputFile={target.resolve()}"]
    run(["gs", *options, str(path.resolve())], target.parent)
    return target
