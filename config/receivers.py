"""Receivers of signals that are imported when the first signal is sent."""

from typing import Any

from django.dispatch import Signal
from django.utils.module_loading import import_string


def connect_receiver(signal: Signal, path: str) -> None:
    """Connect the function at the dotted `path`, without importing it when the process starts."""

    def receive(**kwargs: Any) -> Any:
        return import_string(path)(**kwargs)

    signal.connect(receive, weak=False, dispatch_uid=path)
