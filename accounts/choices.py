"""Enumerated values of accounts."""

from django.db.models import TextChoices


class UserStatus(TextChoices):
    PENDING_APPROVAL = "pending_approval"
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class MemberRole(TextChoices):
    ADMIN = "admin"
    ANALYST = "analyst"
    USER = "user"
    VIEWER = "viewer"
    GUEST = "guest"


class MemberStatus(TextChoices):
    INVITED = "invited"
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class InvitationStatus(TextChoices):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVOKED = "revoked"
    EXPIRED = "expired"


class RoleScope(TextChoices):
    TENANT = "tenant"
    ENGAGEMENT = "engagement"


class ApiKeyStatus(TextChoices):
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class PlatformScope(TextChoices):
    """Scopes of platform API keys."""

    READ = "tenants:read"
    WRITE = "tenants:write", "tenants:write: create, suspend and resume tenants"
    DELETE = "tenants:delete", "tenants:delete: delete suspended tenants"


class ContactMethod(TextChoices):
    EMAIL = "email"
    PHONE = "phone"
    SMS = "sms"
    CHAT = "chat"


class Theme(TextChoices):
    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


class WebSearchChoice(TextChoices):
    """Web search service of a user."""

    TAVILY = "tavily"
    SERPAPI = "serpapi", "SerpApi"
    DISABLED = "disabled"


class ModelPurpose(TextChoices):
    """Purposes that a user can choose a model for; `selected` covers all the others."""

    SELECTED = "selected"
    CHAT = "chat"
    INITIAL_ASSESSMENT = "initial_assessment"
    TOOL_SELECTION = "tool_selection"
    EMBEDDINGS = "embeddings"
    CODING = "coding"
    EXECUTIVE_ASSESSMENT = "executive_assessment"
    CONFIDENCE_ASSESSMENT = "confidence_assessment"
    TOOL_ROUTING = "tool_routing"
    SIMPLE_PLANNING = "simple_planning"
    WAVE_FUNCTION_SPECIALIST = "wave_function_specialist"
    WAVE_FUNCTION_REFINEMENT = "wave_function_refinement"
    PLAN_VALIDATION = "plan_validation"
    PLAN_COMPARISON = "plan_comparison"
    REFLECTION = "reflection"
    FINAL_RESPONSE = "final_response"
    FAST_CONVERSATIONAL = "fast_conversational"


# The default model of each purpose.
USUAL_MODEL = "llama3.2:3b"
DEFAULT_MODELS = dict.fromkeys(ModelPurpose, USUAL_MODEL) | {
    ModelPurpose.WAVE_FUNCTION_SPECIALIST: "llama3.2:1b",
    ModelPurpose.WAVE_FUNCTION_REFINEMENT: "llama3.1:8b",
    ModelPurpose.FAST_CONVERSATIONAL: "llama3.2:1b",
}


class DeviceType(TextChoices):
    DESKTOP = "desktop"
    MOBILE = "mobile"
    TABLET = "tablet"
    OTHER = "other"


class IdentityProvider(TextChoices):
    AUTH0 = "auth0"
    GOOGLE = "google"
    GITHUB = "github"
    MICROSOFT = "microsoft"
    OIDC = "oidc"
    SAML = "saml"


class OAuthService(TextChoices):
    """Google services that a user can connect."""

    CALENDAR = "calendar"
    DRIVE = "drive"
    GMAIL = "gmail"
    CONTACTS = "contacts"
    TASKS = "tasks"
    DOCS = "docs"
    SHEETS = "sheets"


class Availability(TextChoices):
    AVAILABLE = "available"
    PARTIAL = "partial"
    UNAVAILABLE = "unavailable"
