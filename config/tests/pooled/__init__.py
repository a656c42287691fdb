"""Settings for the PgBouncer test: isolation by policies only, and a faulty control."""
