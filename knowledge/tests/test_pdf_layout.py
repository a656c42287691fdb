"""Tables and columns of PDF pages that have no ruling lines, and right-to-left text."""

from knowledge.parsing.pdf_layout import read_columns
from knowledge.parsing.pdf_text import Character, has_guessed_spaces, join_text, list_words, repair_ligatures

PITCH, HEIGHT, WIDTH = 20, 10, 6


def place(*rows, pitch=PITCH, top=0):
    """Return words at the given positions; each row is a dict of position to text."""
    return [
        {"text": word, "x0": x, "x1": x + WIDTH * len(word), "top": y, "bottom": y + HEIGHT}
        for y, row in zip(range(top, top + pitch * len(rows), pitch), rows, strict=True)
        for start, text in row.items()
        for x, word in _split(start, text)
    ]


def _split(start, text):
    for word in text.split():
        yield start, word
        start += WIDTH * len(word) + 3


def test_a_cell_that_fills_its_column_stays_in_the_table():
    words = place(
        {0: "ID", 40: "Title", 200: "Size"},
        {0: "P1", 40: "short", 200: "4 B"},
        {0: "P2", 40: "a title up to the size", 200: "9 B"},
    )
    assert read_columns(words) == "ID | Title | Size\nP1 | short | 4 B\nP2 | a title up to the size | 9 B"


def test_a_full_first_row_joins_the_table_below():
    words = place(
        {0: "P02", 26: "a very long title up to it", 190: "99 B"},
        {0: "P03", 26: "short", 190: "41 B"},
        {0: "P04", 26: "shorter", 190: "40 B"},
        {0: "P05", 26: "plain", 190: "32 B"},
    )
    assert read_columns(words).startswith("P02 | a very long title up to it | 99 B\nP03 | short | 41 B")


def test_a_sentence_below_a_table_is_not_a_row():
    table = place({0: "Quay", 100: "Depth"}, {0: "Fish", 100: "4 m"}, {0: "Coal", 100: "7 m"})
    words = table + place({0: "This list is new."}, top=60)
    assert read_columns(words) == "Quay | Depth\nFish | 4 m\nCoal | 7 m\n\nThis list is new."


def test_items_below_a_table_are_not_rows():
    table = place({0: "Quay", 100: "Depth"}, {0: "Fish", 100: "4 m"}, {0: "Coal", 100: "7 m"})
    words = table + place({0: "•", 20: "bring two lines"}, {0: "•", 20: "stop the engine"}, top=60)
    assert read_columns(words).endswith("Coal | 7 m\n\n• bring two lines\n\n• stop the engine")


def test_lines_above_and_below_belong_to_the_nearer_row():
    first = place({0: "P1", 60: "one", 200: "4 B"})
    second = place({60: "begins above"}, {0: "P2", 200: "9 B"}, {60: "ends below"}, pitch=7, top=22)
    last = place({0: "P3", 60: "three", 200: "5 B"}, top=60)
    assert (
        read_columns(first + second + last)
        == "P1 | one | 4 B\nP2 | begins above ends below | 9 B\nP3 | three | 5 B"
    )


def test_pages_without_columns_are_left_to_the_reader():
    assert read_columns(place({0: "Only one line."}, {0: "And another one."})) == ""


def test_rows_of_right_to_left_tables_start_at_the_right():
    words = place({0: "עומק", 100: "רציף"}, {0: "ארבעה", 100: "דגים"}, {0: "שבעה", 100: "פחם"})
    assert read_columns(words) == "רציף | עומק\nדגים | ארבעה\nפחם | שבעה"


def test_letters_of_an_arabic_ligature_keep_their_order():
    box = (False, 10.0, 0.0, 16.0, 10.0)
    letters = [Character("\u0627", *box), Character("\u0644", *box)]
    assert join_text(list(repair_ligatures(letters))) == "\u0644\u0627"


def test_codes_in_right_to_left_lines_are_read_from_left_to_right():
    letters = [
        Character(text, False, x, 0.0, x + 5, 10.0) for text, x in (("0", 5.0), ("1", 10.0), ("P", 0.0))
    ]
    assert [word["text"] for word in list_words(letters)] == ["P01"]


def test_hindi_without_stored_spaces_has_guessed_ones():
    letters = [Character("\u0915", False, x, 0.0, x + 5, 10.0) for x in range(60)]
    spaces = [Character(" ", True, 0.0, 0.0, 0.0, 0.0)] * 9
    assert has_guessed_spaces(letters + spaces)
    assert not has_guessed_spaces(letters + [Character(" ", False, 0.0, 0.0, 3.0, 10.0)] * 9)
