"""Builds that the PgBouncer proof runs beside the product: isolation by policies alone, and a faulty control."""
