"""Shared state of the demo generators: random numbers, calendar and users."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

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


@dataclass
class Day:
    """Usage of one day by provider: calls, tokens and cost in millionths of a dollar."""

    calls: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    cost: Counter[str] = field(default_factory=Counter)

    def add(self, provider: str, tokens: int, cost: int) -> None:
        self.calls[provider] += 1
        self.tokens[provider] += tokens
        self.cost[provider] += cost


@dataclass
class World:
    """State of a demo tenant while its history is generated."""

    tenant_id: UUID
    slug: str
    # In steps of ten thousand messages; tests use a fraction.
    scale: float
    seed: int
    admin_id: UUID
    member_ids: tuple[UUID, ...]
    rng: Random = field(init=False)
    # Results that one generator passes to the next, such as agents and flows.
    made: dict[str, Any] = field(default_factory=dict)

    days: list[Day] = field(default_factory=lambda: [Day() for _ in range(DAYS)])

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/{self.slug}")  # noqa: S311 - a demo, not a secret

    def share(self, per_step: int) -> int:
        """Scale a count of `per_step` per scale step."""
        return round(per_step * self.scale)

    @property
    def constants(self) -> dict[str, Any]:
        """Columns with the same value in every row of the tenant."""
        return {"tenant_id": self.tenant_id}

    def id_at(self, milliseconds: int) -> UUID:
        """Return a UUIDv7 for a time, with random bits from the seed."""
        bits = self.rng.getrandbits(74)
        return UUID(
            int=(milliseconds << 80)
            | VERSION_AND_VARIANT
            | ((bits >> 62) << 64)
            | (bits & 0x3FFF_FFFF_FFFF_FFFF)
        )

    def day_of(self, milliseconds: int) -> Day:
        """Return the usage of the day that contains the time."""
        return self.days[(milliseconds - SINCE_MS) // DAY_MS]

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
