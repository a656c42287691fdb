"""Plan of a user's open tasks in the working hours of the work profile, around the events of the user's calendars.

Tasks are placed in the order of their score, which counts twice for tasks that are overdue or due within two days and
1.5 times for those due within a week. They take the earliest free times, in parts that are at most as long as the focus
time, with breaks between them. Of events that repeat, only the first occurrence counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.services.preferences import get_preferences
from accounts.services.work_profile import read_work_profile
from workflows.choices import TaskPriority, TaskStatus
from workflows.models import CalendarEvent, Task

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORK_DAYS = WEEKDAYS[:5]
WORK_START, WORK_END = "09:00", "17:00"
FOCUS_MINUTES = 90
# Estimate of a task without one.
TASK_HOURS = 1.0
MIN_PART = timedelta(minutes=15)
MAX_DAYS = 31
MAX_TASKS, MAX_EVENTS = 500, 2_000
Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """Time for a task; `is_late` if it ends after the due date."""

    task: Task
    start: datetime
    end: datetime

    @property
    def is_late(self) -> bool:
        """Return whether the part ends after the due date of the task."""
        return self.task.due_date is not None and self.end > self.task.due_date


@dataclass(frozen=True, slots=True)
class UnplannedTask:
    """A task with the minutes that do not fit."""

    task: Task
    minutes: int


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """Planned parts in order, and the tasks that do not fit."""

    zone: str
    parts: list[PlannedPart] = field(default_factory=list)
    left: list[UnplannedTask] = field(default_factory=list)


def plan_tasks(user_id: UUID, *, start: datetime, days: int) -> TaskPlan:
    """Return the plan of the user's open tasks from `start`, in the open scope."""
    style = read_work_profile(user_id, "work_style_preferences")
    zone = get_preferences(user_id).zone or ZoneInfo("UTC")
    hours = list(_list_hours(style, zone, start, days))
    plan = TaskPlan(str(zone))
    if not hours:
        return plan
    free = _subtract(hours, _list_events(user_id, start, hours[-1][1]))
    focus = timedelta(minutes=style.get("focus_minutes") or FOCUS_MINUTES)
    pause = timedelta(minutes=style.get("break_minutes") or 0)
    for task in _list_open_tasks(user_id, start):
        rest = _get_remaining_time(task)
        while rest > timedelta() and (part := _take(free, min(rest, focus), pause)):
            plan.parts.append(PlannedPart(task, *part))
            rest -= part[1] - part[0]
        if rest > timedelta():
            plan.left.append(UnplannedTask(task, round(rest.total_seconds() / 60)))
    plan.parts.sort(key=lambda part: part.start)
    return plan


def get_default_priority(user_id: UUID | None) -> str:
    """Return the priority of new tasks in the user's work profile."""
    chosen = read_work_profile(user_id, "project_preferences").get("default_priority", "")
    return chosen if chosen in TaskPriority.values else TaskPriority.MEDIUM


def get_event_weight(user_id: UUID | None, category: str) -> float:
    """Return the weight of an event category in the user's work profile; the default is 1."""
    return float(read_work_profile(user_id, "calendar_event_weights").get(category, 1.0))


def _list_hours(style: dict[str, Any], zone: ZoneInfo, start: datetime, days: int) -> Iterator[Interval]:
    """Yield the working hours of each day after `start`; they may end on the next day."""
    begin = time.fromisoformat(style.get("work_start") or WORK_START)
    end = time.fromisoformat(style.get("work_end") or WORK_END)
    chosen = style.get("work_days") or WORK_DAYS
    first: date = start.astimezone(zone).date()
    # The working hours of yesterday may end today.
    for number in range(-1, days):
        day = first + timedelta(days=number)
        if WEEKDAYS[day.weekday()] not in chosen:
            continue
        opens = datetime.combine(day, begin, zone)
        closes = datetime.combine(day if end > begin else day + timedelta(days=1), end, zone)
        # Arithmetic in UTC, which has no changes to summer time.
        opens, closes = (each.astimezone(ZoneInfo("UTC")) for each in (opens, closes))
        if closes > start:
            yield max(opens, start), closes


def _list_events(user_id: UUID, start: datetime, end: datetime) -> list[Interval]:
    rows = CalendarEvent.objects.filter(calendar__user_id=user_id, start_time__lt=end, end_time__gt=start)
    return list(rows.order_by("start_time").values_list("start_time", "end_time")[:MAX_EVENTS])


def _subtract(hours: list[Interval], events: list[Interval]) -> list[Interval]:
    """Return the parts of the hours that no event overlaps."""
    free = []
    for opens, closes in hours:
        at = opens
        for begin, end in events:
            if begin >= closes or end <= at:
                continue
            if begin - at >= MIN_PART:
                free.append((at, begin))
            at = max(at, end)
        if closes - at >= MIN_PART:
            free.append((at, closes))
    return free


def _take(free: list[Interval], wanted: timedelta, pause: timedelta) -> Interval | None:
    """Remove the earliest part of at most `wanted` from the free times, and the break after it."""
    if not free:
        return None
    opens, closes = free.pop(0)
    end = min(opens + wanted, closes)
    if closes - (end + pause) >= MIN_PART:
        free.insert(0, (end + pause, closes))
    return opens, end


def _list_open_tasks(user_id: UUID, now: datetime) -> list[Task]:
    done = (TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.BLOCKED)
    rows = Task.objects.filter(user_id=user_id).exclude(status__in=done)
    found = list(rows.order_by("-calculated_score", "id")[:MAX_TASKS])
    return sorted(found, key=lambda task: -(task.compute_score() or 0) * _get_urgency(task, now))


def _get_urgency(task: Task, now: datetime) -> float:
    if task.due_date is None or task.due_date > now + timedelta(days=7):
        return 1.0
    return 2.0 if task.due_date <= now + timedelta(days=2) else 1.5


def _get_remaining_time(task: Task) -> timedelta:
    hours = TASK_HOURS if task.estimated_hours is None else task.estimated_hours
    # Longer tasks than the longest plan do not fit anyway.
    return timedelta(hours=min(hours, 24 * MAX_DAYS) * (100 - task.completion_percentage) / 100)
