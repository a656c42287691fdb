"""The embedded PostgreSQL server and the processes that run with it."""
