"""Errors that end a turn."""

# In characters; endpoints may ignore the requested limit.
MOST_ANSWER = 1_000_000


class TurnFailed(RuntimeError):
    """A turn cannot continue; `code` and `message` are stored with its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def require_bounded(length: int) -> None:
    """Check the length of an answer in characters.

    Raises:
        TurnFailed: the answer is too long.
    """
    if length > MOST_ANSWER:
        raise TurnFailed("bad_response", f"The model's answer exceeds {MOST_ANSWER} characters.")
