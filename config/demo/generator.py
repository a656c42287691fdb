"""State shared by the demo generators, and their registration."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from operator import attrgetter
from random import Random
from typing import Any
from uuid import UUID

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from config.db.bulk import Row, insert_many

# A fixed end date, so that a seed always produces the same rows.
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 180
SINCE = UNTIL - timedelta(days=DAYS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
SINCE_MS = (SINCE - EPOCH) // timedelta(milliseconds=1)
# Working hours (UTC), weighted by repetition.
HOURS = (8, 9, 9, 10, 10, 10, 11, 11, 13, 14, 14, 14, 15, 15, 16, 17, 20)
VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
# Called with the number of rows written.
Progress = Callable[[int], object]


def ignore_rows(count: int) -> None:
    """Ignore progress."""


@dataclass
class DemoState:
    """State of a demo tenant while its history is generated."""

    tenant_id: UUID
    slug: str
    # In steps of ten thousand messages; tests use a fraction.
    scale: float
    seed: int
    admin_id: UUID
    member_ids: tuple[UUID, ...]
    rng: Random = field(init=False)
    # Rows written so far, and what is called with the number of each batch.
    rows: int = 0
    on_rows: Progress = ignore_rows
    # Agents of the history by slug, which later generators refer to.
    agents: dict[str, Any] = field(default_factory=dict)
    # Answers by day.
    answers: list[int] = field(default_factory=lambda: [0] * DAYS)

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/{self.slug}")  # noqa: S311 - a demo, not a secret

    def share(self, per_step: int) -> int:
        """Scale a count of `per_step` per scale step."""
        return round(per_step * self.scale)

    def insert(self, model: Any, columns: Sequence[str], rows: Iterable[Row], **constants: Any) -> None:
        """Insert rows of the tenant, each an id and the values of `columns`."""
        constants["tenant_id"] = self.tenant_id
        insert_many(model, ("id", *columns), rows, constants=constants, on_batch=self._count_rows)

    def _count_rows(self, count: int) -> None:
        self.rows += count
        self.on_rows(count)

    def id_at(self, milliseconds: int) -> UUID:
        """Return a UUIDv7 for a time, with random bits from the seed."""
        bits = self.rng.getrandbits(74)
        return UUID(
            int=(milliseconds << 80)
            | VERSION_AND_VARIANT
            | ((bits >> 62) << 64)
            | (bits & 0x3FFF_FFFF_FFFF_FFFF)
        )

    def count_answer(self, milliseconds: int) -> None:
        """Count an answer on the day that contains the time."""
        self.answers[(milliseconds - SINCE_MS) // DAY_MS] += 1

    def working_moment(self, day: int) -> int:
        """Return a working time on the `day`-th day, in milliseconds since 1970."""
        hour = self.rng.choice(HOURS)
        return SINCE_MS + day * DAY_MS + hour * 3_600_000 + self.rng.randrange(3_600_000)

    def any_day(self) -> int:
        """Return a random day; later days are more likely, to simulate growth."""
        return int(DAYS * max(self.rng.random(), self.rng.random()))

    def id_on(self, day: int) -> UUID:
        """Return an ID for a time on that day."""
        return self.id_at(self.working_moment(day))


def day_start(day: int) -> datetime:
    """Return the start of the `day`-th day."""
    return SINCE + timedelta(days=day)


def moment(milliseconds: int) -> datetime:
    """Convert milliseconds since 1970 to a UTC datetime."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def micro(amount: int) -> Decimal:
    """Convert millionths to a decimal."""
    return Decimal(amount).scaleb(-6)


def find_demos() -> list[Any]:
    """Return the modules `<app>.demo` in order of their `POSITION`."""
    modules = [
        import_module(f"{app.name}.demo")
        for app in apps.get_app_configs()
        if module_has_submodule(app.module, "demo")  # type: ignore[arg-type]
    ]
    return sorted((each for each in modules if hasattr(each, "POSITION")), key=attrgetter("POSITION"))


def call_demos(hook: str, *arguments: Any) -> None:
    """Call the function `hook` of each demo module that has it."""
    for function in [getattr(module, hook) for module in find_demos() if hasattr(module, hook)]:
        function(*arguments)


def create_once(model: Any, key: dict[str, Any], fields: dict[str, Any]) -> Any:
    """Return the row with `key`, or create and validate it."""
    found = model._base_manager.filter(**key).first()
    if found is None:
        found = model(**key | fields)
        found.full_clean(exclude=["tenant"])
        found.save()
    return found
