"""The workflow definition language `conclave.workflow/1`: documents, expressions and plans. No database access."""
