"""The page `table-states.md`: what writes each table of the documents."""

from collections import Counter

from config.schema.coverage import load_coverage
from config.schema.markdown import grid, page
from config.schema.writers import ALIVE, STORED, WAITING, TableState

HEAD = ("table", "model", "state", "writes", "uses", "remarks")


def states_page() -> str:
    """Return the page of `docs/schema/writers.yaml` by document and table."""
    states = load_coverage().table_states()
    counts = Counter(each.state for each in states)
    documents = list(dict.fromkeys(each.document for each in states))
    return page(
        "States of the documents' tables",
        f"{counts[ALIVE]} of {len(states)} tables are alive, {counts[STORED]} are stored, {counts[WAITING]} wait.",
        "A table is alive if the product writes its rows when something happens and uses them. A test of a day in"
        " `workflows/tests/days/` plays the product and fails if the table gains no row. The rows of a stored table"
        " can be kept, but nothing acts on them. A waiting table needs the part of the product in the last column."
        " The state of a table is that of the model of its first column; the remarks name other models and columns"
        " that nothing writes.",
        *(
            f"## {document}\n\n" + grid(HEAD, [_row(each) for each in states if each.document == document])
            for document in documents
        ),
    )


def _row(state: TableState) -> tuple[str, ...]:
    writer = state.writer
    return (
        state.table,
        writer.model,
        state.state,
        writer.writes,
        writer.uses,
        "; ".join(state.remarks),
    )
