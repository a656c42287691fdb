"""Classification of database errors by SQLSTATE."""

from config.db.constraint_messages import LIMIT_EXCEEDED


def get_sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of a database error, or an empty string."""
    return getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or ""


def exceeds_limit(error: BaseException) -> bool:
    """Return whether the database refused a change beyond a limit of the tenant."""
    return get_sqlstate(error) == LIMIT_EXCEEDED
