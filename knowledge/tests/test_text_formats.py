"""LaTeX, RTF, notebooks, subtitles, contacts, calendars, books and tables of web pages."""

import json

import pytest

from knowledge.parsing import ParseError, parse_bytes
from knowledge.tests.open_files import chapter, epub

LATEX = r"""
\documentclass[12pt]{article}
\usepackage[utf8]{inputenc} % a comment
\title{Tides of the \textbf{bay}} \author{Ada L\"{o}ve}
\newcommand{\foo}[1]{never}
\begin{document}
\maketitle
\begin{abstract}Short.\end{abstract}
\section{High water\label{sec:high}}
High water is 100\% \emph{predictable}~\cite{moon}, as Erd\H{o}s said.\footnote{In \'Evora.}
The height is $h = \frac{a}{b}$ --- see
\begin{equation}
  h_{max} = \sum_i h_i % sum
\end{equation}
\subsection*{Ports}
\begin{itemize}
  \item Brest
  \item[Kiel] no tide
  \begin{enumerate} \item one \item two \end{enumerate}
\end{itemize}
\begin{table}[ht]
\begin{tabular}{l|r}
\hline
Port & Height \\[2pt]
\multicolumn{2}{c}{both} \\
Brest & 7 \\
\end{tabular}
\caption{Heights}
\end{table}
\includegraphics[width=3cm]{bay.png}
\begin{verbatim}
\section{no} & %
\end{verbatim}
\end{document}
after
"""
RTF = (
    rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}{\colortbl;\red0;}"
    rb"{\info{\title Tide table}{\author Ada}}{\*\generator Word;}\f0\fs24 Caf\'e9 \b bold\b0  and \u8364?uro.\par "
    rb"{\f1 \'cc\'ee\'f0\'e5}\line next{\footnote\pard A note.}\par "
    rb"\trowd\cellx1\intbl Port\cell Height\cell\row\trowd\cellx1 Brest\cell 7 m\cell\row\pard "
    rb'{\field{\*\fldinst HYPERLINK "x"}{\fldrslt a link}}{\pict\pngblip 89504e47}'
    rb"{\*\shppict{\pict\bin4 }{}}}\par End.}"
)
SRT = """1
00:00:01,000 --> 00:00:03,000
<i>High water</i>

2
00:00:03,500 --> 00:00:05,000
follows the moon.

3
00:01:05,000 --> 00:01:07,500
{\\an8}The next day.
"""
VTT = """WEBVTT

NOTE made by hand

intro
00:01.000 --> 00:03.000 align:start
<v Ada>High &amp; low</v>

00:03.100 --> 00:05.000
<c.yellow>water</c>
"""
VCARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Le Goff;Yann;;;\r\nFN:Yann Le Goff\r\nORG:Port of Brest;Pilots\r\n"
    "TEL;TYPE=WORK,VOICE:+33 2 98\r\nitem1.EMAIL;type=INTERNET:yann@port.exam\r\n ple\r\n"
    "ADR;TYPE=home:;;1 Quai;Brest;;29200;France\r\nNOTE:Speaks\\, reads\\nBreton\r\n"
    "PHOTO;ENCODING=b:AAAA\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=A9r=\r\n=C3=B4me\r\n"
    "TEL;CELL:112\r\nEND:VCARD\r\n"
)
ICS = (
    "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    "BEGIN:VEVENT\r\nSUMMARY:Dredging\r\nDTSTART;TZID=Europe/Paris:20260706T080000\r\nDTEND:20260706T100000Z\r\n"
    "LOCATION:Mole\\, north\r\nATTENDEE;CN=\"Ada: B\":mailto:ada@port.example\r\nBEGIN:VALARM\r\nDESCRIPTION:Beep\r\n"
    "END:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)  # fmt: skip
YANN = (
    "Yann Le Goff\nOrganization: Port of Brest, Pilots\nPhone (work): +33 2 98\nE-mail: yann@port.example\n"
    "Address (home): 1 Quai, Brest, 29200, France\nNote: Speaks, reads\nBreton"
)
DREDGING = (
    "Dredging\nStart: 2026-07-06 08:00\nEnd: 2026-07-06 10:00 UTC\nLocation: Mole, north\n"
    "Attendee: ada@port.example"
)


def blocks(parsed):
    return [(section.title, section.text) for section in parsed.sections]


def codes(parsed):
    return {each["code"]: each["count"] for each in parsed.warnings}


def test_latex_sections_lists_tables_and_equations():
    parsed = parse_bytes(LATEX.encode(), "tides.tex")
    (abstract, high, ports) = parsed.sections
    assert (parsed.title, parsed.metadata) == ("Tides of the bay", {"author": "Ada Löve"})
    assert (abstract.title, abstract.text) == ("Abstract", "Abstract\n\nShort.")
    assert high.title == "High water"
    assert "100% predictable [moon], as Erdős said. (In Évora.) The height" in high.text
    assert r"$h = \frac{a}{b}$ — see \begin{equation}" in high.text
    assert ports.title == "High water > Ports"
    assert "- Brest\n- Kiel: no tide\n\n  1. one\n  2. two\n" in ports.text
    assert "Port | Height\nboth\nBrest | 7\n\nHeights\n" in ports.text
    assert ports.text.endswith("\\section{no} & %")
    assert codes(parsed) == {"images_without_text": 1}


def test_rtf_text_tables_notes_and_encodings():
    parsed = parse_bytes(RTF, "a.rtf")
    assert parsed.title == "Tide table"
    assert parsed.text == (
        "Café bold and €uro.\nМоре\nnext [A note.]\nPort | Height\nBrest | 7 m\na link\nEnd."
    )
    assert codes(parsed) == {"images_without_text": 2}


def test_notebooks_have_markdown_code_and_outputs():
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "Words."]},
        {
            "cell_type": "code",
            "source": "# no heading\nplot()",
            "outputs": [
                {"output_type": "stream", "text": ["done\n"]},
                {"output_type": "execute_result", "data": {"text/plain": ["42"], "text/html": "<b>42</b>"}},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
                {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": ["..."]},
                {"output_type": "stream", "text": "y" * 30_000},
            ],
        },
    ]
    about = {"language_info": {"name": "python"}}
    parsed = parse_bytes(json.dumps({"cells": cells, "metadata": about, "nbformat": 4}).encode(), "a.ipynb")
    (section,) = parsed.sections
    assert (parsed.title, section.title, parsed.metadata) == ("Tides", "Tides", {"language": "python"})
    assert (
        "```\n# no heading\nplot()\n```\n\nOutput:\n\n```\ndone\n```\n\nOutput:\n\n```\n42\n```"
        in section.text
    )
    assert "KeyError: 'x'" in section.text
    assert codes(parsed) == {"outputs_not_read": 1, "values_shortened": 1}


SPOKEN = [("00:00:01", "High water follows the moon."), ("00:01:05", "The next day.")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.srt", SRT, SPOKEN),
        ("a.srt", SRT.replace("\n\n", "\n"), SPOKEN),
        ("a.vtt", VTT, [("00:00:01", "Ada: High & low water")]),
    ],
)
def test_subtitles_become_paragraphs_with_their_time(name, text, expected):
    assert blocks(parse_bytes(text.encode(), name)) == expected


def test_long_subtitles_are_cut_at_sentences():
    cues = "\n".join(
        f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},900\nSentence number {n} ends here.\n"
        for n in range(60)
    )
    sections = parse_bytes(cues.encode(), "a.srt").sections
    assert [section.title for section in sections][:2] == ["00:00:00", "00:00:14"]
    assert all(400 <= len(section.text) < 500 for section in sections[:-1])


def test_vcards_are_a_section_for_each_person():
    parsed = parse_bytes(VCARD.encode(), "a.vcf")
    assert blocks(parsed) == [
        (
            "Yann Le Goff",
            YANN,
        ),
        ("Jérôme", "Jérôme\nPhone (cell): 112"),
    ]
    assert codes(parsed) == {"images_without_text": 1}


def test_calendars_are_a_section_for_each_event():
    assert blocks(parse_bytes(ICS.encode(), "a.ics")) == [
        (
            "Dredging",
            DREDGING,
        )
    ]


def test_books_are_read_in_the_order_of_the_spine():
    book = epub(chapter("Second", "<p>The end.</p>"), chapter("First", "<h1>Sea</h1><p>High water.</p>"))
    parsed = parse_bytes(book, "a.epub")
    assert (parsed.title, parsed.metadata) == ("Sea book", {"author": "Ada"})
    assert blocks(parsed) == [("Sea", "Sea\n\nHigh water."), ("Second", "The end.")]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.epub", lambda: epub(chapter("A", "x"), encryption='<x URI="c 0.xhtml"/>'), "protected against copying"),
        ("a.epub", lambda: epub(chapter("A", "x"))[:500], "damaged EPUB"),
        ("a.rtf", lambda: b"no rtf", "damaged RTF"),
        ("a.rtf", lambda: b"{\\rtf1" + b"{" * 2_000, "nested too deep"),
        ("a.ipynb", lambda: b'{"worksheets": []}', "damaged notebook"),
        ("a.ipynb", lambda: b"{no", "not valid JSON"),
        ("a.srt", lambda: b"only words", "damaged subtitles"),
        ("a.vcf", lambda: b"only words", "damaged vCard"),
        ("a.ics", lambda: b"BEGIN:VCALENDAR\nEND:VCALENDAR", "damaged iCalendar"),
        ("a.ics", lambda: b"END:\nBEGIN:VEVENT\n", "damaged iCalendar"),
    ],
)  # fmt: skip
def test_damaged_files_report_the_reason(name, data, reason):
    with pytest.raises(ParseError, match=reason):
        parse_bytes(data(), name)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            "<tr><th rowspan=2>Port<th colspan=2>Depth<tr><th>low<th>high<tr><td>Brest<td>4<td>11",
            "Port | Depth | Depth\nPort | low | high\nBrest | 4 | 11",
        ),
        ("<tr><td rowspan=2>Brest<td>B 12</td></tr><tr><td>B 13</table>", "Brest | B 12\nBrest | B 13"),
        ("<tr><td>one<td><p>two</p><p>three</p></td></tr>", "one\n\ntwo\n\nthree"),
        ("<tr><td>a<table><tr><td>b<td>c</table></td><td>d</td></tr>", "a\n\nb | c\n\nd"),
        ("<tr><td colspan=999999999>a<td>b", "a | b"),
        ("<caption>Depths</caption><tr><td>a<td>b</tr></table>after", "Depths\na | b\n\nafter"),
    ],
)
def test_tables_of_pages_are_read_in_full(rows, text):
    assert parse_bytes(f"<table>{rows}".encode(), "a.html").text == text


def test_headings_of_long_tables_are_repeated():
    rows = "".join(f"<tr><td>Quay {n} at the north side of the mole<td>{n} m</tr>" for n in range(60))
    lines = parse_bytes(f"<table><tr><th>Quay<th>Depth</tr>{rows}</table>".encode(), "a.html").text.split(
        "\n"
    )
    assert (len(lines), lines.count("Quay | Depth"), lines[0]) == (63, 3, "Quay | Depth")


def test_headings_in_layout_tables_are_headings():
    page = "<table><tr><td><h1>Tides</h1><p>High water.</p><td>Menu</table><p>After.</p>"
    (section,) = parse_bytes(page.encode(), "a.html").sections
    assert section.title == "Tides"
    assert section.text.split() == ["Tides", "High", "water.", "Menu", "After."]
