"""Projects and calendars belong to a user, who shares them with members."""

import pytest

from config.postgres.logins import OWNER
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from config.testing.fixtures import add_member
from config.testing.isolation.fixtures import create_attack_fixture
from workflows.functions import OWNERS
from workflows.models import ProjectMember, Task
from workflows.services.similarity import similar_tasks
from workflows.tests.factories import (
    CalendarEventFactory,
    CalendarFactory,
    ProjectFactory,
    ProjectMemberFactory,
    TaskFactory,
)

JSON = "application/json"


@pytest.fixture
def owner(api_client):
    return api_client()


@pytest.fixture
def colleague(api_client):
    return api_client()


@pytest.fixture
def task(tenant, owner):
    with tenant_scope(tenant, user=owner.key.user):
        return TaskFactory()


def share(client, project, user, access):
    body = {"project": str(project), "user": str(user.key.user_id), "access": access}
    return client.post("/api/v1/project-members/", body, content_type=JSON)


def rename(client, task):
    return client.patch(f"/api/v1/tasks/{task.pk}/", {"title": "Renamed"}, content_type=JSON).status_code


def test_a_colleague_does_not_see_a_project_and_its_tasks(colleague, task):
    assert colleague.get("/api/v1/projects/").json()["results"] == []
    assert colleague.get("/api/v1/tasks/").json()["results"] == []
    assert colleague.get(f"/api/v1/projects/{task.project_id}/").status_code == 404
    assert rename(colleague, task) == 404


def test_a_member_with_read_access_reads(owner, colleague, task):
    assert share(owner, task.project_id, colleague, "read").status_code == 201
    assert colleague.get(f"/api/v1/tasks/{task.pk}/").status_code == 200
    assert rename(colleague, task) == 403
    assert colleague.delete(f"/api/v1/tasks/{task.pk}/").status_code == 403
    body = {"title": "New", "project": str(task.project_id)}
    assert colleague.post("/api/v1/tasks/", body, content_type=JSON).status_code == 403


def test_a_member_with_write_access_changes_but_does_not_delete(owner, colleague, task):
    share(owner, task.project_id, colleague, "write")
    assert rename(colleague, task) == 200
    assert colleague.delete(f"/api/v1/projects/{task.project_id}/").status_code == 403
    assert owner.get(f"/api/v1/tasks/{task.pk}/").json()["title"] == "Renamed"


def test_only_the_owner_changes_members_and_members_leave(owner, colleague, api_client, task):
    member = share(owner, task.project_id, colleague, "write").json()
    url = f"/api/v1/project-members/{member['id']}/"
    assert share(colleague, task.project_id, api_client(), "read").status_code == 403
    assert colleague.patch(url, {"access": "read"}, content_type=JSON).status_code == 403
    assert owner.patch(url, {"access": "read"}, content_type=JSON).json()["access"] == "read"
    assert share(owner, task.project_id, owner, "read").status_code == 400
    assert colleague.delete(url).status_code == 204
    assert colleague.get(f"/api/v1/tasks/{task.pk}/").status_code == 404


def test_a_task_without_project_belongs_to_its_user(owner, colleague):
    made = owner.post("/api/v1/tasks/", {"title": "Alone"}, content_type=JSON).json()
    assert made["user"] == str(owner.key.user_id)
    assert colleague.get(f"/api/v1/tasks/{made['id']}/").status_code == 404


def test_similar_tasks_are_own_tasks(tenant, owner, colleague, task):
    with tenant_scope(tenant, user=colleague.key.user):
        assert similar_tasks("anything") == []


def test_jobs_see_all_projects_of_the_tenant(tenant, task):
    with tenant_scope(tenant, actor="system:test"):
        assert Task.objects.count() == 1


def test_events_follow_their_calendar(tenant, owner, colleague):
    with tenant_scope(tenant, user=owner.key.user):
        event = CalendarEventFactory()
    assert colleague.get(f"/api/v1/calendar-events/{event.pk}/").status_code == 404
    body = {"calendar": str(event.calendar_id), "user": str(colleague.key.user_id)}
    assert owner.post("/api/v1/calendar-members/", body, content_type=JSON).status_code == 201
    assert colleague.get(f"/api/v1/calendar-events/{event.pk}/").status_code == 200
    assert colleague.delete(f"/api/v1/calendar-events/{event.pk}/").status_code == 403


def test_migration_gives_existing_rows_owners_and_members(transactional_db):
    fixture = create_attack_fixture(1)
    tenant, user, colleague = fixture.tenants[0], *fixture.users.values(), *fixture.colleagues.values()
    with tenant_scope(tenant, actor="system:test"):
        project = ProjectFactory(user=None)
        shared = TaskFactory(user_id=colleague, project=ProjectFactory(user_id=user))
        alone = TaskFactory(user=None, project=None)
    with connect(OWNER, database=fixture.database) as database, database.transaction():
        database.execute(OWNERS)
    with tenant_scope(tenant, user=colleague):
        project.refresh_from_db()
        alone.refresh_from_db()
        member = ProjectMember.objects.get(project=shared.project_id)
    assert (str(project.user_id), str(alone.user_id)) == (colleague, colleague)
    assert (str(member.user_id), member.access) == (colleague, "write")


@pytest.mark.parametrize("access", ["", "read", "write"])
def test_console_shows_members_their_access(admin_client, tenant, member, access):
    other = add_member(tenant).user
    with tenant_scope(tenant, user=other):
        calendar, project = CalendarFactory(), ProjectFactory()
        if access:
            ProjectMemberFactory(project=project, user=member.user, access=access)
    assert admin_client.get(f"/console/workflows/calendar/{calendar.pk}/change/").status_code == 404
    page = f"/console/workflows/project/{project.pk}/"
    shown = admin_client.get(f"{page}change/")
    assert shown.status_code == (200 if access else 404)
    if access:
        assert ('name="_save"' in shown.content.decode()) == (access == "write")
        assert admin_client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
