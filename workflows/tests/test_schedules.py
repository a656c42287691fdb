"""Times of cron schedules: daylight saving time, misfires and expressions that never fire."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.db.json_schema import validation_errors
from workflows import schemas
from workflows.choices import MisfirePolicy
from workflows.language.schedules import (
    MAX_COUNTED,
    MAX_FIRES,
    NICKNAMES,
    Schedule,
    ScheduleError,
    find_due_fires,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def list_next(schedule, after, count):
    found = [after]
    for _ in range(count):
        found.append(schedule.next_after(found[-1]))
    return found[1:]


def berlin(*parts, fold=0):
    return datetime(2026, *parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # The clocks go from 02:00 to 03:00 on 29 March.
        ("30 2 * * *", berlin(3, 28, 12), [berlin(3, 29, 3), berlin(3, 30, 2, 30)]),
        ("0 2,3 * * *", berlin(3, 29, 1), [berlin(3, 29, 3), berlin(3, 30, 2)]),
        ("*/30 * * * *", berlin(3, 29, 1, 30), [berlin(3, 29, 3), berlin(3, 29, 3, 30)]),
        # They go from 03:00 back to 02:00 on 25 October.
        ("30 2 * * *", berlin(10, 24, 12), [berlin(10, 25, 2, 30), berlin(10, 26, 2, 30)]),
        (
            "*/30 * * * *",
            berlin(10, 25, 2),
            [berlin(10, 25, 2, 30), berlin(10, 25, 2, fold=1), berlin(10, 25, 2, 30, fold=1)],
        ),
        # A trigger that is created in the repeated hour does not fire for the first one.
        ("50 2 * * *", berlin(10, 25, 2, 45, fold=1), [berlin(10, 26, 2, 50)]),
    ],
)
def test_schedule_fires_once_on_nights_when_clocks_change(cron, after, expected):
    assert list_next(Schedule(cron, "Europe/Berlin"), after, len(expected)) == expected


@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "0 2,3 * * *", "50 2 * * *", "*/20 2 * * *", "@daily", "0 0 L * *"]
)
@pytest.mark.parametrize("night", [(3, 29), (10, 25)])
def test_due_times_are_those_that_follow_one_another(cron, night):
    schedule, first = Schedule(cron, "Europe/Berlin"), berlin(*night) - timedelta(days=2)
    following = list_next(schedule, first, 200)

    for minutes in range(0, 4 * 24 * 60, 17):
        now = first + timedelta(minutes=minutes)
        assert schedule.list_due(following[0], now) == [each for each in following if each <= now]


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        *zip(
            NICKNAMES,
            [
                datetime(2026, 5, 4, 13, tzinfo=UTC),
                datetime(2026, 5, 5, tzinfo=UTC),
                datetime(2026, 5, 10, tzinfo=UTC),
                datetime(2026, 6, 1, tzinfo=UTC),
                datetime(2027, 1, 1, tzinfo=UTC),
                datetime(2027, 1, 1, tzinfo=UTC),
            ],
            strict=True,
        ),
        ("@Daily", datetime(2026, 5, 5, tzinfo=UTC)),
        ("*/10 * * * * *", NOON + timedelta(seconds=10)),
        ("0 9 * * MON-FRI", datetime(2026, 5, 5, 9, tzinfo=UTC)),
    ],
)
def test_nicknames_names_and_seconds(cron, first):
    assert Schedule(cron).next_after(NOON) == first


@pytest.mark.parametrize(
    "cron",
    [
        "99 99 * * *",
        "0 0 30 2 *",
        "0 0 */31 2 MON#5",
        "5#2/2 * * * *",
        "* * * * 5#2/2",
        "@reboot",
        "* * * *",
        "",
    ],
)
def test_expression_that_never_fires_is_refused(cron):
    with pytest.raises(ScheduleError):
        Schedule(cron).next_after(NOON)
    assert [path for path, _ in validation_errors(schemas.ScheduleTrigger, {"cron": cron})] == [("cron",)]


@pytest.mark.parametrize(
    ("misfire", "hours", "missed"), [("skip", [], 5), ("once", [12], 4), ("all", [8, 9, 10, 11, 12], 0)]
)
def test_misfire_policy(misfire, hours, missed):
    first, now = NOON.replace(hour=8), NOON + timedelta(minutes=20)
    fires = find_due_fires(Schedule("@hourly"), MisfirePolicy(misfire), first=first, now=now)

    assert [time.hour for time in fires.times] == hours
    assert (fires.missed, fires.next_fire_at) == (missed, NOON.replace(hour=13))


@pytest.mark.parametrize("misfire", MisfirePolicy)
def test_times_of_the_last_minute_are_not_misfires(misfire):
    now = NOON + timedelta(seconds=3, milliseconds=400)
    fires = find_due_fires(Schedule("* * * * * *"), misfire, first=NOON, now=now)

    assert fires.times == [NOON + timedelta(seconds=each) for each in range(4)]
    assert (fires.missed, fires.next_fire_at) == (0, NOON + timedelta(seconds=4))


def test_all_missed_times_are_bounded():
    fires = find_due_fires(
        Schedule("* * * * * *"), MisfirePolicy.ALL, first=NOON - timedelta(days=365), now=NOON
    )

    assert fires.times == [NOON - timedelta(seconds=each) for each in reversed(range(MAX_FIRES))]
    assert (fires.missed, fires.next_fire_at) == (MAX_COUNTED - MAX_FIRES, NOON + timedelta(seconds=1))


def test_changed_schedule_starts_at_its_next_time():
    fires = find_due_fires(Schedule("0 0 1 1 *"), MisfirePolicy.ALL, first=NOON, now=NOON)

    assert (fires.times, fires.next_fire_at) == ([], datetime(2027, 1, 1, tzinfo=UTC))
