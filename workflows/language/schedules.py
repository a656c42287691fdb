"""Times of cron schedules in time zones: the next time, the due times, and which of them fire.

A time that the start of daylight saving time skips moves to the next one that exists. A fixed time that its end
repeats occurs once; `*/30` occurs in both hours. Source: Debian's cron, as implemented by cronsim.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from workflows.choices import MisfirePolicy

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# A time that is at most this late counts as on time, so the misfire policy does not apply.
MISFIRE_AFTER = timedelta(seconds=60)
# Runs that one pass starts for missed times, and missed times that it counts.
MAX_FIRES, MAX_COUNTED = 100, 1000
# Longer than any hour that the end of daylight saving time repeats.
REPEATED = timedelta(hours=2)


class ScheduleError(ValueError):
    """The cron expression is malformed, or never fires."""


@dataclass(frozen=True)
class Schedule:
    """A cron expression of five fields, of six with the second first, or a nickname, in a time zone."""

    cron: str
    timezone: str = "UTC"

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone.

        Raises:
            KeyError, ValueError, OSError: it is unknown.
        """
        return ZoneInfo(self.timezone)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after `moment`, in UTC.

        Raises:
            ScheduleError: the expression is malformed, or has no time in the next 50 years.
        """
        for found in self._iterate(moment.astimezone(self.zone)):
            # Wall clocks repeat an hour, so only UTC orders the times.
            if found > moment:
                return found
        raise ScheduleError("The schedule never fires.")

    def list_due(self, first: datetime, now: datetime) -> list[datetime]:
        """Return the times from `first` to `now`, oldest first: at most the newest `MAX_COUNTED`."""
        start = now.astimezone(self.zone).replace(microsecond=0)
        start += REPEATED if start.fold else timedelta(seconds=1)
        due: list[datetime] = []
        for found in self._iterate(start, reverse=True):
            if found < first or len(due) == MAX_COUNTED:
                break
            if found <= now and found not in due[-1:]:
                due.append(found)
        return due[::-1]

    def _iterate(self, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        expression = NICKNAMES.get(self.cron.strip().lower(), self.cron)
        try:
            for found in CronSim(expression, start, reverse=reverse):
                yield found.astimezone(UTC)
        # cronsim raises the latter two for some malformed fields.
        except (CronSimError, AssertionError, TypeError) as error:
            raise ScheduleError(f"Invalid cron expression: {error or 'unknown field'}.") from error


@dataclass(frozen=True, slots=True)
class DueFires:
    """Times that fire now, the number of missed times without a run, and the next time."""

    times: list[datetime]
    missed: int
    next_fire_at: datetime


def find_due_fires(schedule: Schedule, misfire: MisfirePolicy, *, first: datetime, now: datetime) -> DueFires:
    """Return what a trigger fires that was due at `first`.

    The next time follows the newest due time, not the clock, so that schedules do not drift.

    Raises:
        ScheduleError: the schedule never fires again.
    """
    due = schedule.list_due(first, now)
    if not due:
        # The schedule changed since `first` was computed.
        return DueFires([], 0, schedule.next_after(now))
    times = due[-MAX_FIRES:]
    if due[0] < now - MISFIRE_AFTER:
        times = {MisfirePolicy.SKIP: [], MisfirePolicy.ONCE: due[-1:], MisfirePolicy.ALL: times}[misfire]
    return DueFires(times, len(due) - len(times), schedule.next_after(due[-1]))
