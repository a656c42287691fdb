"""Project conventions of private rows.

Each model with an owner hides its rows from colleagues, or has a reason.
"""

import pytest

from config.db.constraints import RowLevelSecurity
from config.tenancy.models import PERSON_KINDS, MemberForeignKey
from config.testing.factories import project_models

OWNER_COLUMNS = ("user_id", "owner_id", "created_by_id")
NOT_PERSONAL = {
    "accounts.ApiKey": "administrators manage the keys of the organisation",
    "accounts.Invitation": "administrators manage the invitations of the organisation",
    "accounts.Membership": "colleagues see who belongs to the organisation",
    "accounts.RoleAssignment": "administrators manage roles",
    "accounts.Talent": "skills that the organisation plans with",
    "agents.Agent": "an agent belongs to the organisation; the field names its author",
    "agents.AgentRun": "telemetry for the organisation's costs; readable with usage:read",
    "agents.AgentTemplate": "a template belongs to the organisation; the field names its author",
    "agents.AgentVersion": "a version belongs to its agent",
    "agents.Integration": "an integration belongs to the organisation",
    "agents.LlmUsage": "telemetry for the organisation's costs; readable with usage:read",
    "agents.McpServer": "a server of the platform or of an organisation, which is the owner",
    "agents.McpServerConfig": "a configuration belongs to the organisation",
    "agents.McpServerUser": "administrators choose who uses a server",
    "agents.PlatformCredential": "a credential of the organisation",
    "agents.TemplatePurchase": "the organisation buys",
    "agents.TemplateRating": "ratings are public",
    "audit.AuditLog": "the organisation's log; values of private rows are redacted",
    "knowledge.Connector": "a connector belongs to its collection; the field names its author",
    "knowledge.Document": "a document belongs to its collection",
    "tenants.BridgeSync": "administrators manage links to other servers",
    "tenants.CostRecord": "telemetry for the organisation's costs",
    "tenants.Engagement": "an engagement belongs to the organisation",
    "tenants.MeterEvent": "telemetry for the organisation's usage",
    "tenants.UsageMetric": "telemetry for the organisation's usage",
    "tenants.WebhookEndpoint": "administrators manage the endpoints of the organisation",
    "workflows.ActivityAssignment": "the organisation plans activities",
    "workflows.Approval": "the organisation sees who decided",
    "workflows.ApprovalAssignee": "the organisation sees who is asked",
    "workflows.ApprovalDecision": "the organisation sees who decided",
    "workflows.ApprovalLink": "the organisation sees to whom links were sent; tokens are not stored",
    "workflows.AssessmentFlow": "a flow belongs to its engagement",
    "workflows.Asset": "an asset belongs to the organisation",
    "workflows.CollectionFlow": "a flow belongs to its engagement",
    "workflows.DiscoveryFlow": "a flow belongs to its engagement",
    "workflows.ExecutionFlow": "a flow belongs to its engagement",
    "workflows.MasterFlow": "a flow belongs to its engagement",
    "workflows.PlanningFlow": "a flow belongs to its engagement",
    "workflows.Workflow": "a workflow belongs to the organisation",
    "workflows.WorkflowExecution": "a run belongs to its workflow",
    "workflows.WorkflowVersion": "a version belongs to its workflow",
}


def has_owner(model):
    fields = model._meta.local_concrete_fields
    return any(isinstance(field, MemberForeignKey) or field.column in OWNER_COLUMNS for field in fields)


def label(model):
    return model._meta.label


PERSONAL = [model for model in project_models() if getattr(model, "scope_kind", "") in PERSON_KINDS]


def test_every_model_with_an_owner_is_private_or_has_a_reason():
    owned = {label(model) for model in project_models() if has_owner(model)}

    assert owned - {label(model) for model in PERSONAL} == set(NOT_PERSONAL)


@pytest.mark.parametrize("model", PERSONAL, ids=label)
def test_policies_of_private_rows_depend_on_the_user(model):
    (rule,) = [each for each in model._meta.constraints if isinstance(each, RowLevelSecurity)]
    named = ("conclave_current_user()", "SELECT id FROM knowledge_term")

    for clause in ("read", "write", "owned", "deletable"):
        text = rule.options[clause]
        assert not text or any(name in text for name in named), clause
