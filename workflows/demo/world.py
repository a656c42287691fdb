"""What the makers of the demo's rows share: one generator of chance, one calendar, who is there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

# The history ends here, so that a seed gives the same rows on every day.
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 180
SINCE = UNTIL - timedelta(days=DAYS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
SINCE_MS = (SINCE - EPOCH) // timedelta(milliseconds=1)
# Hours of the day (UTC) at which people work, and how often.
HOURS = (8, 9, 9, 10, 10, 10, 11, 11, 13, 14, 14, 14, 15, 15, 16, 17, 20)
VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
# Called with the number of rows just written.
Progress = Callable[[int], object]


@dataclass
class Day:
    """What agents used on one day, by provider: calls, tokens, millionths of a dollar."""

    calls: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    cost: Counter[str] = field(default_factory=Counter)

    def add(self, provider: str, tokens: int, cost: int) -> None:
        self.calls[provider] += 1
        self.tokens[provider] += tokens
        self.cost[provider] += cost


@dataclass
class World:
    """One tenant of the demo while its history is made."""

    tenant_id: UUID
    slug: str
    # Steps of ten thousand messages; tests take a part of one.
    scale: float
    seed: int
    admin_id: UUID
    member_ids: tuple[UUID, ...]
    rng: Random = field(init=False)
    # What one maker leaves for the next, such as agents and flows.
    made: dict[str, Any] = field(default_factory=dict)

    days: list[Day] = field(default_factory=lambda: [Day() for _ in range(DAYS)])

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/{self.slug}")  # noqa: S311 - a demo, not a secret

    def share(self, per_step: int) -> int:
        """How many of something that comes `per_step` times a step."""
        return round(per_step * self.scale)

    @property
    def constants(self) -> dict[str, Any]:
        """What every row of the tenant has alike."""
        return {"tenant_id": self.tenant_id}

    def id_at(self, milliseconds: int) -> UUID:
        """A UUIDv7 of that moment, its random bits from the seed."""
        bits = self.rng.getrandbits(74)
        return UUID(
            int=(milliseconds << 80)
            | VERSION_AND_VARIANT
            | ((bits >> 62) << 64)
            | (bits & 0x3FFF_FFFF_FFFF_FFFF)
        )

    def day_of(self, milliseconds: int) -> Day:
        """What was used on the day of that moment."""
        return self.days[(milliseconds - SINCE_MS) // DAY_MS]

    def working_moment(self, day: int) -> int:
        """A moment of the `day`-th day of the history at which people work, in milliseconds since 1970."""
        hour = self.rng.choice(HOURS)
        return SINCE_MS + day * DAY_MS + hour * 3_600_000 + self.rng.randrange(3_600_000)

    def any_day(self) -> int:
        """A day of the history; later ones more often, as if use had grown."""
        return int(DAYS * max(self.rng.random(), self.rng.random()))

    def id_on(self, day: int) -> UUID:
        """An id of that day."""
        return self.id_at(self.working_moment(day))


def day_start(day: int) -> datetime:
    """The beginning of the `day`-th day of the history."""
    return SINCE + timedelta(days=day)


def moment(milliseconds: int) -> datetime:
    """Milliseconds since 1970 as a moment in UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def micro(amount: int) -> Decimal:
    """Millionths as a decimal number."""
    return Decimal(amount).scaleb(-6)
