"""How an agent answers: a turn is begun, run without a transaction, and finished or failed."""
