"""Demo projects, tasks, calendar events and activities."""

from datetime import timedelta
from typing import Any

from config.db.bulk import insert_many
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

from .world import DAYS, Progress, World, day_start

PROJECTS = (
    ("Portal", "python", "django"),
    ("Data hub", "python", "dbt"),
    ("Mobile app", "kotlin", "compose"),
)
VERBS = ("Design", "Build", "Test", "Document", "Review")
THINGS = ("the import", "the sign-in", "the search", "the report", "the export", "the alerts")
EVENTS = ("Stand-up", "Planning", "Retrospective", "Interview", "Deep work", "Customer call")
TYPES, STATES = ("Audit", "Training", "Maintenance", "Migration"), ("Planned", "In progress", "Done")


def make_planning(world: World, on_rows: Progress) -> int:
    """Create three projects with tasks, calendar events and thirty activities."""
    made = _projects(world) + _calendar(world) + _activities(world)
    on_rows(made)
    return made


def _insert(world: World, model: Any, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    return insert_many(model, ("id", *columns), rows, constants=world.constants)


def _projects(world: World) -> int:
    rows = [
        (world.id_on(place), world.admin_id, name, language, framework)
        for place, (name, language, framework) in enumerate(PROJECTS)
    ]
    made = _insert(world, Project, ("user_id", "name", "programming_language", "framework"), rows)
    columns = (
        *("user_id", "project_id", "title", "status", "priority", "due_date", "estimated_hours"),
        *("completion_percentage", "task_type"),
    )
    tasks = [_task(world, row[0], f"{verb} {thing}") for row in rows for verb in VERBS for thing in THINGS]
    return made + _insert(world, Task, columns, tasks)


def _task(world: World, project: Any, title: str) -> tuple[Any, ...]:
    rng = world.rng
    day = rng.randrange(5, DAYS)
    status = rng.choice(("pending", "in_progress", "blocked", "completed", "completed"))
    done = 100 if status == "completed" else 0 if status == "pending" else rng.randrange(10, 90)
    return (
        *(world.id_on(day), world.admin_id, project, title, status, rng.choice(("low", "medium", "high"))),
        *(
            day_start(day + 14),
            float(rng.randrange(1, 16)),
            done,
            "coding" if "Build" in title else "general",
        ),
    )


def _calendar(world: World) -> int:
    calendar = world.id_on(0)
    made = _insert(world, Calendar, ("user_id", "name"), [(calendar, world.admin_id, "Work")])
    columns = ("calendar_id", "summary", "start_time", "end_time", "category", "attendees")
    return made + _insert(
        world, CalendarEvent, columns, [_event(world, calendar, day) for day in range(1, DAYS)]
    )


def _event(world: World, calendar: Any, day: int) -> tuple[Any, ...]:
    rng = world.rng
    start = day_start(day) + timedelta(hours=rng.randrange(8, 17))
    summary = rng.choice(EVENTS)
    attendees = [{"email": f"{name}@demo.example", "name": name.capitalize()} for name in ("ada", "ben")]
    return (
        *(
            world.id_on(day - 1),
            calendar,
            summary,
            start,
            start + timedelta(minutes=rng.choice((15, 30, 60))),
        ),
        *("focus" if summary == "Deep work" else "meeting", attendees),
    )


def _activities(world: World) -> int:
    rng = world.rng
    types = [(world.id_on(0), name) for name in TYPES]
    states = [(world.id_on(0), name) for name in STATES]
    made = _insert(world, ActivityType, ("name",), types) + _insert(world, ActivityStatus, ("name",), states)
    rows, people = [], []
    for number in range(30):
        day = rng.randrange(1, DAYS - 20)
        start = day_start(day).date()
        name = f"{rng.choice(TYPES)} {number + 1}"
        rows.append(
            (
                world.id_on(day),
                name,
                rng.choice(types)[0],
                rng.choice(states)[0],
                start,
                start + timedelta(days=14),
            )
        )
        people.append((world.id_on(day), rows[-1][0], rng.choice(world.member_ids), "lead", day_start(day)))
    made += _insert(
        world, Activity, ("name", "activity_type_id", "status_id", "start_date", "end_date"), rows
    )
    return made + _insert(
        world, ActivityAssignment, ("activity_id", "user_id", "role", "assigned_at"), people
    )
