"""Why a turn cannot go on."""

# Characters; an endpoint may send for as long as it likes, whatever it was asked for.
MOST_ANSWER = 1_000_000


class TurnFailed(RuntimeError):
    """A turn that cannot go on; `code` and `message` are stored with its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def require_bounded(length: int) -> None:
    """Raises:
    TurnFailed: when an answer of so many characters is too long to be kept.
    """
    if length > MOST_ANSWER:
        raise TurnFailed("bad_response", f"The model's answer has more than {MOST_ANSWER} characters.")
