"""Errors that end an attempt of a step."""


class StepError(RuntimeError):
    """Failure of an attempt.

    Args:
        code: stable identifier, such as `budget_exceeded`; retry policies name it in `non_retryable`.
        message: text for people, without secrets and without texts of model providers.
        retryable: whether another attempt can succeed.
        retry_after: seconds that the other side asks to wait.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable, self.retry_after = code, message, retryable, retry_after


class StepCancelledError(RuntimeError):
    """The run was cancelled, or another worker took the step over: the body stops."""
