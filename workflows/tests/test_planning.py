"""Scores of tasks, and plans in the working hours of the work profile."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.tests.factories import UserSettingsFactory, WorkProfileFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.models import CalendarEvent, Task
from workflows.services.planning import plan_tasks
from workflows.tests.factories import CalendarEventFactory, CalendarFactory, TaskFactory

URL = "/api/v1/tasks/"
# A Monday.
MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


def at(hour, minute=0, day=0):
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def parts(member, days=7, start=MONDAY):
    plan = plan_tasks(member.user_id, start=start, days=days)
    return [(part.task.title, part.start, part.end) for part in plan.parts]


def make(member, title, hours=1.0, **fields):
    return Task.objects.create(title=title, user_id=member.user_id, estimated_hours=hours, **fields)


def work(member, **style):
    WorkProfileFactory(user_id=member.user_id, work_style_preferences=style)


def test_tasks_are_planned_in_working_hours_by_score(scope, member):
    make(member, "later", priority="low")
    make(member, "first", priority="urgent")
    make(member, "done", status="completed")

    assert parts(member) == [("first", at(9), at(10)), ("later", at(10), at(11))]


def test_work_profile_and_zone_change_the_plan(scope, member):
    make(member, "task", 4)
    work(
        member,
        work_start="14:00",
        work_end="17:00",
        work_days=["tuesday"],
        focus_minutes=60,
        break_minutes=15,
    )
    UserSettingsFactory(user_id=member.user_id, timezone="Asia/Tokyo")
    plan = plan_tasks(member.user_id, start=MONDAY, days=7)

    # 14:00 to 17:00 in Tokyo is 5:00 to 8:00 in UTC.
    times = [(part.start, part.end) for part in plan.parts]
    assert times == [
        (at(5, 0, 1), at(6, 0, 1)),
        (at(6, 15, 1), at(7, 15, 1)),
        (at(7, 30, 1), at(8, 0, 1)),
    ]
    assert [(each.task.title, each.minutes) for each in plan.left] == [("task", 90)]
    assert plan.zone == "Asia/Tokyo"


def test_night_shift_ends_on_the_next_day(scope, member):
    make(member, "night", 2)
    work(member, work_start="23:00", work_end="01:00", work_days=["monday"], focus_minutes=120)

    assert parts(member) == [("night", at(23), at(25))]


def test_plan_begins_within_a_night_shift(scope, member):
    make(member, "night", 5)
    work(member, work_start="22:00", work_end="06:00", work_days=["sunday", "monday"], focus_minutes=240)
    plan = plan_tasks(member.user_id, start=at(2), days=1)

    assert [(part.start, part.end) for part in plan.parts] == [(at(2), at(6)), (at(22), at(23))]


def test_events_of_the_own_calendars_are_left_free(scope, member):
    calendar = CalendarFactory(user_id=member.user_id)
    CalendarEventFactory(calendar=calendar, start_time=at(9), end_time=at(9, 30))
    CalendarEventFactory(calendar=calendar, start_time=at(10), end_time=at(16, 55))
    make(member, "task", 1)

    assert parts(member) == [("task", at(9, 30), at(10)), ("task", at(9, 0, 1), at(9, 30, 1))]


def test_due_tasks_come_first_and_late_ones_are_marked(scope, member):
    make(member, "important", 8, priority="medium")
    make(member, "due", 1, priority="medium", due_date=at(12, 0, 1))
    make(member, "missed", 1, priority="low", due_date=at(9, 30))
    plan = plan_tasks(member.user_id, start=MONDAY, days=7)

    assert plan.parts[0].task.title == "due"
    assert {part.task.title: part.is_late for part in plan.parts}["missed"] is True


def test_remaining_time_counts(scope, member):
    make(member, "half", 2, completion_percentage=50)
    make(member, "unknown", None, priority="low")

    assert parts(member) == [("half", at(9), at(10)), ("unknown", at(10), at(11))]


def test_tasks_and_events_of_colleagues_are_not_planned(tenant, member):
    colleague = add_member(tenant)
    with tenant_scope(tenant, user=colleague.user):
        make(colleague, "theirs")
        calendar = CalendarFactory(user_id=colleague.user_id)
        CalendarEventFactory(calendar=calendar, start_time=at(0), end_time=at(0, 0, 30))
    with tenant_scope(tenant, user=member.user):
        make(member, "mine")

        assert parts(member) == [("mine", at(9), at(10))]


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({}, 3.0),
        ({"priority": "urgent"}, 6.0),
        ({"importance_weight": 3, "urgency_weight": 2, "user_priority_weight": 0}, 5.0),
        ({"complexity_weight": 3}, 1.5),
        ({"importance_weight": 1e308, "urgency_weight": 1e308}, 1e12),
    ],
)
def test_score_follows_priority_and_weights(scope, fields, score):
    task = TaskFactory(**fields)

    assert Task.objects.get(pk=task.pk).calculated_score == score


def test_api_returns_the_plan(api_client):
    client = api_client("user")
    made = client.post(URL, {"title": "Report", "estimated_hours": 1}, content_type="application/json").json()
    plan = client.get(f"{URL}plan/?start=2026-11-30T00:00:00Z&days=1").json()

    assert made["calculated_score"] == 3.0
    assert plan["parts"] == [
        {
            "task": made["id"],
            "title": "Report",
            "start": "2026-11-30T09:00:00Z",
            "end": "2026-11-30T10:00:00Z",
            "is_late": False,
        }
    ]
    assert (plan["zone"], plan["left"]) == ("UTC", [])


@pytest.mark.parametrize(
    "query",
    [
        *("days=0", "days=32", "start=soon", "weeks=1"),
        *("start=9999-12-30T00:00:00Z&days=7", "start=0001-01-01T00:00:00Z"),
    ],
)
def test_invalid_parameters_are_refused(api_client, query):
    assert api_client("user").get(f"{URL}plan/?{query}").status_code == 400


def test_new_rows_have_the_priority_and_weight_of_the_work_profile(api_client, tenant):
    client = api_client("user")
    with tenant_scope(tenant, user=client.key.user):
        WorkProfileFactory(
            user_id=client.key.user_id,
            project_preferences={"default_priority": "high"},
            calendar_event_weights={"work": 2.5},
        )
        calendar = CalendarFactory(user_id=client.key.user_id)
    event = {"calendar": str(calendar.pk), "summary": "x", "start_time": at(9), "end_time": at(10)}

    def post(address, **body):
        return client.post(f"/api/v1/{address}/", body, content_type="application/json").json()

    tasks = [post("tasks", title="x"), post("tasks", title="x", priority="low")]
    events = [
        post("calendar-events", **event, category="work"),
        post("calendar-events", **event, category="work", importance_weight=1),
        post("calendar-events", **event),
    ]

    assert [each["priority"] for each in tasks] == ["high", "low"]
    assert [each["importance_weight"] for each in events] == [2.5, 1.0, 1.0]
    with tenant_scope(tenant, user=client.key.user):
        assert CalendarEvent.objects.count() == 3
