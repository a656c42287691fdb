"""User profiles, settings and preferences, visible only to their user."""

from django.core.validators import MinLengthValidator
from django.db import models

from accounts.choices import ContactMethod, ModelPurpose, Theme, WebSearchChoice
from accounts.schemas import SchemaValidator, validate_language, validate_timezone
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import UserOwnedModel


def notification_defaults() -> dict[str, bool]:
    """Return the default preferences, with everything enabled."""
    return {"email": True, "in_app": True, "discovery_complete": True, "assessment_ready": True}


ONCE_PER_USER = unique_per_tenant("user", message="This entry already exists for the user.")


class UserProfile(UserOwnedModel):
    """A user's contact and work details in one organisation."""

    audit_redact = (
        "date_of_birth",
        "phone_number",
        "alternate_phone",
        "personal_address",
        "emergency_contact",
    )

    display_name = models.CharField(max_length=150, blank=True, default="", help_text="Name shown to others.")
    date_of_birth = models.DateField(null=True, blank=True, help_text="Date of birth.")
    phone_number = models.CharField(max_length=50, blank=True, default="", help_text="Phone number.")
    alternate_phone = models.CharField(max_length=50, blank=True, default="", help_text="Other phone number.")
    personal_address = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("Address")],
        help_text='Home address: {"street": "", "city": "", "postal_code": "", "country": ""}.',
    )
    job_title = models.CharField(max_length=100, blank=True, default="", help_text="Job title.")
    company = models.CharField(max_length=255, blank=True, default="", help_text="Company name.")
    department = models.CharField(max_length=100, blank=True, default="", help_text="Department.")
    work_phone = models.CharField(max_length=50, blank=True, default="", help_text="Work phone number.")
    work_email = models.EmailField(max_length=255, blank=True, default="", help_text="Work e-mail address.")
    work_address = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("Address")],
        help_text="Work address, in the same format as the personal address.",
    )
    preferred_contact_method = models.CharField(
        max_length=20, choices=ContactMethod, blank=True, default="", help_text="Preferred contact method."
    )
    emergency_contact = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("EmergencyContact")],
        help_text='Emergency contact: {"name": "", "relationship": "", "phone": "", "email": ""}.',
    )
    bio = models.TextField(blank=True, default="", help_text="Short biography.")
    website = models.URLField(max_length=500, blank=True, default="", help_text="Personal website.")
    linkedin = models.CharField(max_length=255, blank=True, default="", help_text="LinkedIn profile.")
    twitter = models.CharField(max_length=255, blank=True, default="", help_text="Twitter username.")
    github = models.CharField(max_length=255, blank=True, default="", help_text="GitHub username.")

    class Meta(UserOwnedModel.Meta):
        constraints = [
            ONCE_PER_USER,
            choices_constraint(
                "preferred_contact_method",
                [*ContactMethod.values, ""],
                name="accounts_userprofile_contact_known",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or "Profile"


class UserSettings(UserOwnedModel):
    """A user's settings in one organisation."""

    theme = models.CharField(max_length=20, choices=Theme, default=Theme.DARK, help_text="Colour theme.")
    language = models.CharField(
        max_length=20,
        blank=True,
        default="",
        validators=[validate_language],
        help_text="Language code, such as en or de.",
    )
    timezone = models.CharField(
        max_length=50,
        default="UTC",
        db_default="UTC",
        validators=[validate_timezone],
        help_text="Zone name, such as Europe/Rome.",
    )
    notifications_enabled = models.BooleanField(default=True, help_text="Whether notifications are sent.")
    notification_preferences = models.JSONField(
        default=notification_defaults,
        db_default=notification_defaults(),
        blank=True,
        validators=[SchemaValidator("NotificationPreferences")],
        help_text='Enabled channels and events: {"email": true, "in_app": true}.',
    )
    web_search_provider = models.CharField(
        max_length=20,
        choices=WebSearchChoice,
        blank=True,
        default="",
        db_default="",
        help_text="Web search service of agents. Empty: any that the organisation has an account with.",
    )
    preferences = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="Other settings of the user interface, such as the default agent.",
    )

    class Meta(UserOwnedModel.Meta):
        verbose_name_plural = "user settings"
        constraints = [
            ONCE_PER_USER,
            choices_constraint("theme", Theme.values),
            choices_constraint(
                "web_search_provider",
                ["", *WebSearchChoice.values],
                name="accounts_usersettings_web_search_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_theme_display()}, {self.timezone}"


class UserModelChoice(UserOwnedModel):
    """The model that a user chose for a purpose; `DEFAULT_MODELS` holds the defaults."""

    purpose = models.CharField(max_length=50, choices=ModelPurpose, help_text="Purpose of the model.")
    model = models.CharField(
        max_length=255, validators=[MinLengthValidator(1)], help_text="Model name, such as llama3.2:3b."
    )

    class Meta(UserOwnedModel.Meta):
        constraints = [
            unique_per_tenant("user", "purpose", message="You have already chosen a model for this purpose."),
            choices_constraint("purpose", ModelPurpose.values),
            models.CheckConstraint(
                condition=~models.Q(model=""),
                name="accounts_usermodelchoice_model_named",
                violation_error_message="The model name is required.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.model}"


class WorkProfile(UserOwnedModel):
    """A user's goals, habits and preferences, for use by assistants."""

    # The audit log shows colleagues that these fields changed, but not their values.
    audit_redact = ("personal_goals", "productivity_patterns", "interview_insights")

    calendar_event_weights = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("EventWeights")],
        help_text='Weight of each event category, from 0 to 100: {"meeting": 1.5}.',
    )
    agent_settings = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("AgentSettings")],
        help_text='Settings of each agent: {"writer": {"enabled": true, "temperature": 0.2}}.',
    )
    personal_goals = models.JSONField(
        default=list,
        blank=True,
        validators=[SchemaValidator("PersonalGoals")],
        help_text='Personal goals: [{"title": "Learn SQL", "priority": "high", "progress": 0.4}].',
    )
    work_style_preferences = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("WorkStyle")],
        help_text='Work style: {"work_start": "09:00", "work_days": ["monday"], "focus_minutes": 90}.',
    )
    productivity_patterns = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("ProductivityPatterns")],
        help_text='Observed productivity patterns: {"peak_hours": [9, 10], "best_days": ["tuesday"]}.',
    )
    interview_insights = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("InterviewInsights")],
        help_text='Interview results: {"summary": "", "insights": [{"topic": "", "finding": ""}]}.',
    )
    project_preferences = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("ProjectPreferences")],
        help_text='Project preferences: {"methodology": "kanban", "default_priority": "medium"}.',
    )
    default_code_style = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("CodeStyle")],
        help_text='Code style: {"language": "python", "indent": "spaces", "line_length": 100}.',
    )
    git_integrations = models.JSONField(
        default=list,
        blank=True,
        validators=[SchemaValidator("GitIntegrations")],
        help_text='Repository host accounts, without tokens: [{"provider": "github", "username": "ada"}].',
    )

    class Meta(UserOwnedModel.Meta):
        constraints = [ONCE_PER_USER]

    def __str__(self) -> str:
        return "Work profile"
