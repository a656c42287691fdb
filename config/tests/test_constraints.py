"""Constraints for row-level security, same-tenant references and audit triggers."""

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, connection, models, transaction

from accounts.models import ApiKey, Membership
from accounts.tests.factories import ApiKeyFactory, MembershipFactory, UserFactory
from agents.models import Agent, AgentVersion
from agents.tests.factories import (
    AgentCollectionFactory,
    AgentFactory,
    AgentVersionFactory,
    IntegrationFactory,
)
from config.db.constraints import TENANT_CLAUSE, USER_CLAUSE, AuditTrigger, RowLevelSecurity, SameTenant
from config.db.ids import uuid7
from config.db.operations import CascadeTenantKeys
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.models import Conversation, Message
from conversations.tests.factories import ConversationFactory, MessageFactory
from knowledge.models import Chunk
from knowledge.tests.factories import ChunkFactory
from tenants.models import Tenant
from tenants.tests.factories import TenantFactory


class Recorder:
    """Schema editor that records SQL without running it."""

    def quote_name(self, name):
        return f'"{name}"'


def sql_of(constraint, model=Agent):
    return constraint._create(model, Recorder())


@pytest.fixture
def foreign_agent(other_tenant):
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        return AgentFactory()


def message_of(act):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        act()
    diag = caught.value.__cause__.diag
    return diag.sqlstate, diag.constraint_name, diag.message_primary


# --- same tenant ---------------------------------------------------------------------------------


def test_foreign_row_and_missing_row_are_refused_alike(foreign_agent, scope):
    foreign = message_of(lambda: ConversationFactory(agent=None, agent_id=foreign_agent.pk))
    missing = message_of(lambda: ConversationFactory(agent=None, agent_id=uuid7()))

    assert foreign == missing
    assert foreign[:2] == ("23503", "conversations_conversation_agent_same")


def test_update_to_a_foreign_row_is_refused(foreign_agent, scope):
    conversation = ConversationFactory()

    def update():
        Conversation.objects.filter(pk=conversation.pk).update(agent_id=foreign_agent.pk)

    assert message_of(update)[0] == "23503"


def test_people_are_members_of_the_rows_tenant(scope, other_tenant):
    outsider = UserFactory()

    assert message_of(lambda: AgentFactory(created_by_id=outsider.pk))[0] == "23503"
    MembershipFactory(user=outsider)
    assert AgentFactory(created_by_id=outsider.pk).created_by_id == outsider.pk


def test_validation_fails_before_the_database_constraint(foreign_agent, scope):
    conversation = ConversationFactory()
    conversation.agent_id = foreign_agent.pk

    with pytest.raises(ValidationError) as caught:
        conversation.full_clean()
    assert "agent" in caught.value.message_dict


def test_set_null_keeps_the_tenant(scope):
    integration = IntegrationFactory()
    agent = AgentFactory(integration=integration)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM agents_integration WHERE id = %s", [integration.pk])
    agent.refresh_from_db()

    assert agent.integration_id is None
    assert agent.tenant_id == scope.tenant_id


def test_cascade_runs_in_the_database(scope):
    chunk = ChunkFactory()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM knowledge_collection WHERE id = %s", [chunk.collection_id])

    assert not Chunk.objects.exists()


def test_cascade_reaches_partitioned_tables(scope):
    message = MessageFactory()
    Conversation.objects.filter(pk=message.conversation_id).delete()

    assert not Message.objects.exists()


def test_deleting_a_tenant_deletes_its_rows_in_the_database(scope, other_tenant):
    tables = [
        model._meta.db_table for model in project_models() if hasattr(model, "tenant") and model._meta.managed
    ]
    for model in project_models():
        if model not in (Tenant, Membership) and hasattr(model, "tenant"):
            factory_for(model)()

    def count(tenant):
        counts = (f"SELECT '{table}', count(*) FROM {table} WHERE tenant_id = %(tenant)s" for table in tables)
        with as_platform(), connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(counts), {"tenant": tenant})
            return dict(cursor.fetchall())

    assert len(tables) > 90
    assert {table for table, rows in count(scope.tenant_id).items() if not rows} == set()
    with as_platform(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_tenant WHERE id = %s", [scope.tenant_id])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert {table for table, rows in count(scope.tenant_id).items() if rows} == set()


def test_leaving_the_tenant_takes_keys_along_and_keeps_work(scope):
    other = MembershipFactory(user=UserFactory())
    key, agent = ApiKeyFactory(user=other.user), AgentFactory(created_by=other.user)
    Membership.objects.filter(pk=other.pk).delete()
    agent.refresh_from_db()

    assert not ApiKey.objects.filter(pk=key.pk).exists()
    assert agent.created_by_id is None


def test_reference_error_surfaces_at_once_and_can_wait_until_commit(scope):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS conversations_conversation_agent_same DEFERRED")
        late = uuid7()
        ConversationFactory(agent=None, agent_id=late)
        AgentFactory(id=late)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_through_table_takes_both_ends_from_one_tenant(foreign_agent, scope):
    assert message_of(lambda: AgentCollectionFactory(agent=None, agent_id=foreign_agent.pk))[0] == "23503"


def test_existing_tenant_keys_are_replaced_and_restored(db):
    tables = ["agents_agent", "conversations_message"]

    def rules():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conrelid::regclass::text, conname, confdeltype::text, convalidated FROM pg_constraint"
                " WHERE contype = 'f' AND confrelid = 'tenants_tenant'::regclass ORDER BY 1"
            )
            return cursor.fetchall()

    key = next(name for table, name, _, _ in rules() if table == "agents_agent")
    before, operation, owner = rules(), CascadeTenantKeys(tables=tables), connection.copy()
    owner.settings_dict |= {key: settings.DATABASE_OWNER[key] for key in ("USER", "PASSWORD", "LOGINS")}
    with owner.schema_editor(atomic=False) as editor:
        operation.database_backwards("config", editor, None, None)
        assert {row[2] for row in rules() if row[0].split("_p2")[0] in tables} == {"a"}
        assert {row[2] for row in rules() if row[0].split("_p2")[0] not in tables} == {"c"}
        # An interrupted run leaves a key without validation.
        editor.execute(
            f'ALTER TABLE agents_agent ADD CONSTRAINT "{key[:58]}_next"'
            " FOREIGN KEY (tenant_id) REFERENCES tenants_tenant NOT VALID"
        )
        operation.database_forwards("config", editor, None, None)
    owner.close()
    assert rules() == before


# --- row-level security --------------------------------------------------------------------------


def test_append_only_table_takes_no_update_and_no_delete(scope):
    version = AgentVersionFactory()

    for act in (
        lambda: AgentVersion.objects.update(note="x"),
        lambda: AgentVersion.objects.filter(pk=version.pk)._raw_delete("default"),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            act()


def test_only_named_columns_may_be_updated(scope, tenant):
    assert Tenant.objects.update(name="New name") == 1
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Tenant.objects.update(max_users=1000)


def test_owner_migrates_data_of_every_tenant(transactional_db):
    for tenant in (TenantFactory(), TenantFactory()):
        with tenant_scope(tenant, actor="system:test"):
            AgentFactory()
    with connect("conclave_owner") as owner:
        assert owner.execute("UPDATE agents_agent SET description = 'migrated'").rowcount == 2


def test_unknown_option_is_rejected():
    with pytest.raises(TypeError, match="no option reed"):
        RowLevelSecurity(name="x", reed="true")


def test_user_owned_rows_require_the_user():
    lines = sql_of(RowLevelSecurity(name="x", read=f"{TENANT_CLAUSE} AND {USER_CLAUSE}"))

    assert f"TO conclave_app USING ({TENANT_CLAUSE} AND {USER_CLAUSE})" in lines
    assert "FORCE ROW LEVEL SECURITY" in lines


def test_shared_rows_are_read_by_all_and_written_by_their_tenant():
    lines = sql_of(RowLevelSecurity(name="x", read="is_public", write=TENANT_CLAUSE)).split(";\n")
    policies = {line.split()[2]: line for line in lines if line.startswith("CREATE POLICY")}

    assert policies['"x_app_select"'].endswith("USING (is_public)")
    assert policies['"x_app_insert"'].endswith(f"WITH CHECK ({TENANT_CLAUSE})")
    assert TENANT_CLAUSE in policies['"x_app_delete"']


# --- migrations ----------------------------------------------------------------------------------

CONSTRAINTS = [
    RowLevelSecurity(name="trial_rls"),
    SameTenant(field="integration", name="trial_same", on_delete="SET NULL"),
    SameTenant(field="created_by", name="trial_member", target="accounts.Membership", column="user_id"),
    AuditTrigger(name="trial_audit", label="agents.agent", redact=("config",), omit=("tags",)),
    AuditTrigger(name="trial_bulk", label="agents.agent", level="statement"),
]


def state(owner):
    return owner.execute(
        "SELECT array(SELECT polname::text FROM pg_policy WHERE polrelid = 'agents_agent'::regclass ORDER BY 1),"
        " array(SELECT conname::text FROM pg_constraint WHERE conrelid = 'agents_agent'::regclass ORDER BY 1),"
        " array(SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'agents_agent'::regclass"
        "   AND NOT tgisinternal ORDER BY 1)"
    ).fetchone()


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda each: each.name)
def test_constraint_is_deconstructed_and_made_again(constraint):
    path, args, kwargs = constraint.deconstruct()

    assert path.startswith("config.db.constraints.")
    assert type(constraint)(*args, **kwargs) == constraint
    assert type(constraint)(*args, **kwargs | {"name": "other"}) != constraint


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda each: each.name)
def test_constraint_is_added_and_removed(db, constraint):
    owner = connect("conclave_owner")
    with owner, owner.transaction(force_rollback=True):
        before = state(owner)
        owner.execute(constraint._create(Agent, Recorder()))
        assert state(owner) != before
        owner.execute(constraint.remove_sql(Agent, Recorder()))
        assert state(owner) == before


def test_constraints_wait_for_the_end_of_the_migration():
    class Editor(Recorder):
        deferred_sql: list[str] = []

    CONSTRAINTS[1].create_sql(Agent, Editor())

    assert "FOREIGN KEY (tenant_id" in Editor.deferred_sql[0]


def test_every_child_of_the_bases_gets_its_constraints():
    kinds = {type(each) for each in Conversation._meta.constraints}

    assert {RowLevelSecurity, SameTenant, AuditTrigger, models.UniqueConstraint} <= kinds


def test_database_rejects_the_login_as_well(second_connection):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        second_connection().execute("SELECT FROM agents_agent")
