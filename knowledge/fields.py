"""Model fields of knowledge."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models


class LanguageField(models.CharField):
    """An ISO 639-1 code, or an empty string for an unknown language."""

    def __init__(self, **options: Any) -> None:
        defaults = {
            "max_length": 8,
            "blank": True,
            "default": "",
            "db_default": "",
            "validators": [RegexValidator(r"^[a-z]{2}$", "Enter an ISO 639-1 code, such as `de`.")],
        }
        super().__init__(**defaults | options)
