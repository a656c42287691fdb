"""Schemas of the JSON columns of user profiles.

SchemaValidator("PersonalGoals")([{"title": "Run", "progress": 2}])
-> ValidationError: 0.progress: Input should be less than or equal to 1.
"""

from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError as ModelError
from django.utils.translation import get_supported_language_variant
from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from config.db import json_schema
from config.db.json_schema import Short, StrictSchema, Text

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Hour = Annotated[int, Field(ge=0, le=23)]
Share = Annotated[float, Field(ge=0, le=1)]
Minutes = Annotated[int, Field(ge=1, le=1440)]
MAX_ENTRIES = 500


class Address(StrictSchema):
    """A postal address."""

    street: Short = ""
    street2: Short = ""
    city: Short = ""
    region: Short = ""
    postal_code: Annotated[str, StringConstraints(max_length=20)] = ""
    country: Short = ""


class EmergencyContact(StrictSchema):
    """Person to call in an emergency."""

    name: Short = ""
    relationship: Short = ""
    phone: Annotated[str, StringConstraints(max_length=50)] = ""
    email: Short = ""


class NotificationPreferences(BaseModel):
    """Enabled notification channels and events; other event names are allowed."""

    __pydantic_extra__: dict[str, bool]
    model_config = ConfigDict(extra="allow")

    email: bool = True
    in_app: bool = True
    discovery_complete: bool = True
    assessment_ready: bool = True


class EventWeights(RootModel[dict[Name, Annotated[float, Field(ge=0, le=100)]]]):
    """Weight of each event category. The default is 1."""


class AgentSetting(StrictSchema):
    """A user's settings for one agent."""

    enabled: bool = True
    model: Short = ""
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)
    instructions: Text = ""


class AgentSettings(RootModel[dict[Name, AgentSetting]]):
    """Settings by agent slug."""


class Goal(StrictSchema):
    """A goal; `progress` ranges from 0 to 1."""

    title: Name
    description: Text = ""
    category: Short = ""
    priority: Literal["low", "medium", "high"] = "medium"
    target_date: date | None = None
    progress: Share = 0
    status: Literal["active", "reached", "dropped"] = "active"


class PersonalGoals(RootModel[Annotated[list[Goal], Field(max_length=MAX_ENTRIES)]]):
    """List of goals."""


class WorkStyle(StrictSchema):
    """Working hours and habits."""

    work_start: Clock | None = None
    work_end: Clock | None = None
    work_days: list[Weekday] = Field(default_factory=list, max_length=7)
    focus_minutes: Minutes | None = None
    break_minutes: Minutes | None = None
    meetings: Literal["morning", "afternoon", "any", "few"] = "any"
    communication: Literal["brief", "detailed", "balanced"] = "balanced"
    notes: Text = ""


class ProductivityPatterns(StrictSchema):
    """Observed productivity patterns; `completion_rate` by category, from 0 to 1."""

    peak_hours: list[Hour] = Field(default_factory=list, max_length=24)
    low_hours: list[Hour] = Field(default_factory=list, max_length=24)
    best_days: list[Weekday] = Field(default_factory=list, max_length=7)
    average_focus_minutes: float | None = Field(None, ge=0, le=1440)
    completion_rate: dict[Name, Share] = Field(default_factory=dict)
    observed_at: datetime | None = None


class InterviewInsight(StrictSchema):
    """One finding of an interview."""

    topic: Name
    finding: Text
    confidence: Share | None = None


class InterviewInsights(StrictSchema):
    """Findings of interviews by an assistant."""

    interview_type: Short = ""
    conducted_at: datetime | None = None
    summary: Text = ""
    insights: list[InterviewInsight] = Field(default_factory=list, max_length=MAX_ENTRIES)


class ProjectPreferences(StrictSchema):
    """Project preferences."""

    methodology: Short = ""
    default_priority: Literal["low", "medium", "high"] = "medium"
    estimate_unit: Literal["hours", "days", "points"] = "hours"
    programming_languages: list[Name] = Field(default_factory=list, max_length=100)
    frameworks: list[Name] = Field(default_factory=list, max_length=100)
    notes: Text = ""


class CodeStyle(StrictSchema):
    """Code style preferences."""

    language: Short = ""
    indent: Literal["spaces", "tabs"] = "spaces"
    indent_size: int = Field(4, ge=1, le=16)
    line_length: int = Field(100, ge=40, le=400)
    quotes: Literal["single", "double"] = "double"
    naming: Short = ""
    docstrings: Short = ""
    notes: Text = ""


class GitIntegration(StrictSchema):
    """An account at a repository host. Tokens are stored as `OAuthToken` instead."""

    provider: Literal["github", "gitlab", "bitbucket", "gitea", "other"]
    username: Name
    base_url: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s]+)?$", max_length=500)] = ""
    default_branch: Short = "main"
    repositories: list[Name] = Field(default_factory=list, max_length=MAX_ENTRIES)


class GitIntegrations(RootModel[Annotated[list[GitIntegration], Field(max_length=100)]]):
    """Accounts at repository hosts."""


class SchemaValidator(json_schema.SchemaValidator):
    """Validator of a value against a schema of this module, given by name."""


def validate_timezone(value: str) -> None:
    """Require the name of an IANA time zone.

    Raises:
        django.core.exceptions.ValidationError: The time zone is unknown.
    """
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ModelError("Unknown time zone.", code="invalid_timezone") from None


def validate_language(value: str) -> None:
    """Require the code of a language that Django knows.

    Raises:
        django.core.exceptions.ValidationError: The language is unknown.
    """
    try:
        get_supported_language_variant(value)
    except LookupError:
        raise ModelError("Unknown language. Use a code such as en or de.", code="invalid_language") from None
