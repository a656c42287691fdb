"""Demo projects, tasks, calendar events and activities."""

from datetime import timedelta
from typing import Any

from config.demo.generator import DAYS, DemoState, day_start
from workflows.models import (
    Activity,
    ActivityAssignment,
    ActivityStatus,
    ActivityType,
    Calendar,
    CalendarEvent,
    Project,
    Task,
)

PROJECTS = (
    ("Portal", "python", "django"),
    ("Data hub", "python", "dbt"),
    ("Mobile app", "kotlin", "compose"),
)
VERBS = ("Design", "Build", "Test", "Document", "Review")
THINGS = ("the import", "the sign-in", "the search", "the report", "the export", "the alerts")
EVENTS = ("Stand-up", "Planning", "Retrospective", "Interview", "Deep work", "Customer call")
TYPES, STATES = ("Audit", "Training", "Maintenance", "Migration"), ("Planned", "In progress", "Done")


def make_planning(state: DemoState) -> None:
    """Create three projects with tasks, calendar events and thirty activities."""
    _projects(state)
    _calendar(state)
    _activities(state)


def _projects(state: DemoState) -> None:
    rows = [
        (state.id_on(place), state.admin_id, name, language, framework)
        for place, (name, language, framework) in enumerate(PROJECTS)
    ]
    state.insert(Project, ("user_id", "name", "programming_language", "framework"), rows)
    columns = (
        *("user_id", "project_id", "title", "status", "priority", "due_date", "estimated_hours"),
        *("completion_percentage", "task_type"),
    )
    tasks = [_task(state, row[0], f"{verb} {thing}") for row in rows for verb in VERBS for thing in THINGS]
    state.insert(Task, columns, tasks)


def _task(state: DemoState, project: Any, title: str) -> tuple[Any, ...]:
    rng = state.rng
    day = rng.randrange(5, DAYS)
    status = rng.choice(("pending", "in_progress", "blocked", "completed", "completed"))
    done = 100 if status == "completed" else 0 if status == "pending" else rng.randrange(10, 90)
    return (
        *(state.id_on(day), state.admin_id, project, title, status, rng.choice(("low", "medium", "high"))),
        *(day_start(day + 14), float(rng.randrange(1, 16)), done),
        "coding" if "Build" in title else "general",
    )


def _calendar(state: DemoState) -> None:
    calendar = state.id_on(0)
    state.insert(Calendar, ("user_id", "name"), [(calendar, state.admin_id, "Work")])
    columns = ("calendar_id", "summary", "start_time", "end_time", "category", "attendees")
    state.insert(CalendarEvent, columns, [_event(state, calendar, day) for day in range(1, DAYS)])


def _event(state: DemoState, calendar: Any, day: int) -> tuple[Any, ...]:
    rng = state.rng
    start = day_start(day) + timedelta(hours=rng.randrange(8, 17))
    summary = rng.choice(EVENTS)
    attendees = [{"email": f"{name}@demo.example", "name": name.capitalize()} for name in ("ada", "ben")]
    return (
        *(state.id_on(day - 1), calendar, summary, start),
        start + timedelta(minutes=rng.choice((15, 30, 60))),
        *("focus" if summary == "Deep work" else "meeting", attendees),
    )


def _activities(state: DemoState) -> None:
    rng = state.rng
    types = [(state.id_on(0), name) for name in TYPES]
    states = [(state.id_on(0), name) for name in STATES]
    state.insert(ActivityType, ("name",), types)
    state.insert(ActivityStatus, ("name",), states)
    rows, people = [], []
    for number in range(30):
        day = rng.randrange(1, DAYS - 20)
        start = day_start(day).date()
        name = f"{rng.choice(TYPES)} {number + 1}"
        rows.append(
            (
                state.id_on(day),
                name,
                rng.choice(types)[0],
                rng.choice(states)[0],
                start,
                start + timedelta(days=14),
            )
        )
        people.append((state.id_on(day), rows[-1][0], rng.choice(state.member_ids), "lead", day_start(day)))
    state.insert(Activity, ("name", "activity_type_id", "status_id", "start_date", "end_date"), rows)
    state.insert(ActivityAssignment, ("activity_id", "user_id", "role", "assigned_at"), people)
