"""Why a turn cannot go on."""


class TurnFailed(RuntimeError):
    """A turn that cannot go on; `code` and `message` are stored with its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
