"""Errors that end a turn."""

# In characters; endpoints may ignore the requested limit.
MAX_ANSWER_LENGTH = 1_000_000


class TurnError(RuntimeError):
    """A turn cannot continue; `code` and `message` are stored with its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def check_answer_length(length: int) -> None:
    """Check the length of an answer in characters.

    Raises:
        TurnError: the answer is too long.
    """
    if length > MAX_ANSWER_LENGTH:
        raise TurnError("bad_response", f"The model's answer exceeds {MAX_ANSWER_LENGTH} characters.")
