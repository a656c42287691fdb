"""Hard limits on model calls: reserved before a call, settled after it.

Each limit has a counter for the current period. One statement adds the maximum a call may use to every counter
that applies, provided that used plus reserved stays within the limit. PostgreSQL rechecks the condition on the
latest version of each row, so concurrent calls cannot exceed a limit together. Counters are locked in a fixed order
to avoid deadlocks. Reservations of processes that died expire.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.choices import BudgetPeriod, BudgetSubject
from agents.services.prices import TenantPrice
from config.db.ids import uuid7_floor
from config.tenancy.scope import require_tenant_id
from tenants.event_types import BudgetEvent, BudgetExceededEvent, BudgetWarningEvent
from tenants.services.outbox import publish_once
from tenants.services.quotas import QUOTA_SQL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)
LimitKey = tuple[str, UUID, str, str]

TERMS_SQL = f"""
SELECT 'limit', 'tenant', %(tenant)s::uuid, CASE resource WHEN 'answers' THEN 'requests' ELSE resource END, period,
  limit_value, NULL::numeric FROM ({QUOTA_SQL}) AS q
WHERE limit_value IS NOT NULL AND resource IN ('tokens', 'answers')
UNION ALL
SELECT 'limit', subject, coalesce(subject_id, of_subject), resource, period, limit_value, NULL FROM (
  SELECT DISTINCT ON (b.subject, b.resource, b.period) b.*, s.id AS of_subject FROM agents_budget b
  JOIN unnest(%(subjects)s::text[], %(ids)s::uuid[]) AS s (subject, id)
    ON s.subject = b.subject AND (b.subject_id = s.id OR b.subject_id IS NULL)
  WHERE b.tenant_id = %(tenant)s AND b.is_active ORDER BY b.subject, b.resource, b.period, b.subject_id NULLS LAST
) AS own
UNION ALL
SELECT 'stand-ins', '', NULL, '', '', count(*), NULL FROM agents_agentfallback
WHERE tenant_id = %(tenant)s AND agent_id = %(agent)s HAVING count(*) > 0
UNION ALL
(SELECT 'price', '', NULL, model, '', input_price, output_price FROM agents_modelprice
 WHERE tenant_id = %(tenant)s AND provider = %(provider)s AND model IN (%(model)s, '*') ORDER BY model = '*' LIMIT 1)
"""

# A new counter starts with the usage already logged for its period.
RESERVE_SQL = """
WITH wanted AS (
  SELECT w.*, CASE WHEN EXISTS (
    SELECT FROM agents_budgetcounter c WHERE c.tenant_id = %(tenant)s AND c.subject = w.subject
    AND c.subject_id = w.subject_id AND c.resource = w.resource AND c.period = w.period
    AND c.period_start = w.period_start) THEN 0
  ELSE (SELECT coalesce(CASE w.resource WHEN 'tokens' THEN sum(total_tokens)::numeric WHEN 'cost' THEN sum(total_cost)
      ELSE count(DISTINCT message_id) END, 0) FROM agents_llmusage u
    WHERE u.tenant_id = %(tenant)s AND u.id >= w.oldest AND CASE w.subject WHEN 'tenant' THEN true
      WHEN 'user' THEN u.user_id = w.subject_id WHEN 'agent' THEN u.agent_id = w.subject_id ELSE false END)
  END AS before
  FROM unnest(%(subjects)s::text[], %(ids)s::uuid[], %(resources)s::text[], %(periods)s::text[],
    %(starts)s::timestamptz[], %(oldest)s::uuid[], %(amounts)s::numeric[], %(limits)s::numeric[])
    AS w (subject, subject_id, resource, period, period_start, oldest, amount, limit_value)
), held AS (
  INSERT INTO agents_budgetcounter AS c
    (tenant_id, subject, subject_id, resource, period, period_start, used, reserved, limit_value)
  SELECT %(tenant)s, subject, subject_id, resource, period, period_start, before, amount, limit_value
  FROM wanted WHERE before + amount <= limit_value ORDER BY subject, subject_id, resource, period
  ON CONFLICT (tenant_id, subject, subject_id, resource, period, period_start) DO UPDATE
  SET reserved = c.reserved + excluded.reserved, limit_value = excluded.limit_value
  WHERE c.used + c.reserved + excluded.reserved <= excluded.limit_value
  RETURNING c.id, c.subject, c.subject_id, c.resource, c.period
), kept AS (
  INSERT INTO agents_budgetreservation (tenant_id, held, expires_at)
  SELECT %(tenant)s, jsonb_object_agg(h.id, w.amount), %(expires)s
  FROM held h JOIN wanted w USING (subject, subject_id, resource, period) HAVING count(*) > 0 RETURNING id
)
SELECT h.*, (SELECT id FROM kept) FROM held h
"""

SETTLE_SQL = """
WITH gone AS (
  DELETE FROM agents_budgetreservation WHERE tenant_id = %(tenant)s AND id = %(reservation)s RETURNING id
), locked AS MATERIALIZED (
  SELECT id FROM agents_budgetcounter WHERE tenant_id = %(tenant)s AND id = ANY(%(counters)s::uuid[])
  ORDER BY subject, subject_id, resource, period FOR UPDATE
), settled AS (
  UPDATE agents_budgetcounter c SET used = c.used + a.used,
    reserved = c.reserved - CASE WHEN EXISTS (SELECT FROM gone) THEN a.held ELSE 0 END
  FROM unnest(%(counters)s::uuid[], %(held)s::numeric[], %(used)s::numeric[]) AS a (id, held, used)
  JOIN locked USING (id) WHERE c.tenant_id = %(tenant)s AND c.id = a.id
  RETURNING c.subject, c.subject_id, c.resource, c.period, c.period_start, c.used, a.used AS added,
    c.limit_value AS hard_limit
)
SELECT s.subject, s.subject_id, s.resource, s.period, w.limit_value, s.period_start, s.used, w.percent
FROM settled s LEFT JOIN tenants_tenantquota q ON s.subject = 'tenant' AND q.tenant_id = %(tenant)s
  AND q.resource = CASE s.resource WHEN 'requests' THEN 'answers' ELSE s.resource END AND q.period = s.period
  AND (q.valid_until IS NULL OR q.valid_until > now())
CROSS JOIN LATERAL (SELECT coalesce(q.limit_value, s.hard_limit) AS limit_value,
  coalesce(q.warn_at_percent, %(percent)s) AS percent) AS w
WHERE s.used >= w.limit_value * w.percent / 100 AND s.used - s.added < w.limit_value * w.percent / 100
"""
# Share of a limit at which a warning is sent, unless a quota states another one.
WARN_AT_PERCENT = 80

EXPIRE_SQL = """
WITH gone AS (
  DELETE FROM agents_budgetreservation WHERE expires_at < now() AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
  RETURNING id, held
), sums AS (
  SELECT h.key::uuid AS id, sum(h.value::numeric) AS held FROM gone, jsonb_each_text(gone.held) AS h GROUP BY 1
), locked AS MATERIALIZED (
  SELECT c.id FROM agents_budgetcounter c JOIN sums USING (id)
  ORDER BY c.tenant_id, c.subject, c.subject_id, c.resource, c.period FOR UPDATE OF c
), freed AS (
  UPDATE agents_budgetcounter c SET reserved = greatest(c.reserved - s.held, 0)
  FROM sums s JOIN locked USING (id) WHERE c.id = s.id
)
SELECT count(*) FROM gone
"""


class BudgetExceededError(Exception):
    """Raised when a call would exceed a limit; the message names the limit."""

    code = "budget_exceeded"

    def __init__(self, message: str, limit: "BudgetLimit | None" = None) -> None:
        super().__init__(message)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class CallSubjects:
    """The tenant, user, API key and agent whose limits apply to a call."""

    tenant_id: UUID
    user_id: UUID | None = None
    key_id: UUID | None = None
    agent_id: UUID | None = None

    def pairs(self) -> list[tuple[str, UUID]]:
        """Return the kind and ID of each subject that is set."""
        known = (
            (BudgetSubject.TENANT, self.tenant_id),
            (BudgetSubject.USER, self.user_id),
            (BudgetSubject.KEY, self.key_id),
            (BudgetSubject.AGENT, self.agent_id),
        )
        return [(str(kind), identifier) for kind, identifier in known if identifier is not None]


@dataclass(frozen=True, slots=True)
class BudgetLimit:
    """A hard limit on the subject with the ID `subject_id`."""

    subject: str
    subject_id: UUID
    resource: str
    period: str
    value: Decimal

    @property
    def key(self) -> LimitKey:
        return self.subject, self.subject_id, self.resource, self.period

    def __str__(self) -> str:
        kind = {"tokens": "model tokens", "requests": "answers", "cost": "US dollars"}[self.resource]
        span = {"request": "an answer", "total": "in all"}.get(self.period, f"a {self.period}")
        return f"{self.value.normalize():f} {kind} {span} for the {_SUBJECT_LABELS[self.subject]}"


_SUBJECT_LABELS = {"tenant": "organisation", "user": "person", "key": "API key", "agent": "agent"}


@dataclass(frozen=True, slots=True)
class CallTerms:
    """The limits on a call, the tenant's own price if any, and the number of fallback models."""

    limits: tuple[BudgetLimit, ...] = ()
    price: TenantPrice | None = None
    fallback_count: int = 0

    def bound(self, resource: str) -> bool:
        """Return whether any limit counts `resource`."""
        return any(limit.resource == resource for limit in self.limits)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The amounts a call reserves by counter ID, and the resource of each counter."""

    id: UUID
    held: Mapping[UUID, Decimal]
    resources: Mapping[UUID, str] = field(default_factory=dict)


def load_call_terms(subjects: CallSubjects, provider: str, model: str) -> CallTerms:
    """Return the limits, price and fallback count of a call, in one query."""
    pairs = subjects.pairs()
    parameters: dict[str, Any] = {
        "tenant": subjects.tenant_id,
        "subjects": [kind for kind, _ in pairs],
        "ids": [identifier for _, identifier in pairs],
        "provider": provider,
        "model": model,
        "agent": subjects.agent_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(TERMS_SQL, parameters)
        rows = cursor.fetchall()
    limits = tuple(BudgetLimit(*row[1:6]) for row in rows if row[0] == "limit")
    prices = [TenantPrice(row[5], row[6]) for row in rows if row[0] == "price"]
    fallback_count = sum(int(row[5]) for row in rows if row[0] == "stand-ins")
    return CallTerms(limits, prices[0] if prices else None, fallback_count)


def reserve_budget(
    limits: Sequence[BudgetLimit],
    amounts: Mapping[str, Decimal],
    *,
    spent: Mapping[str, Decimal],
    seconds: float,
) -> Reservation | None:
    """Reserve `amounts` (by resource) on every counter that applies. Requires a tenant scope.

    Args:
        spent: usage of this answer so far, by resource, for limits per answer.
        seconds: lifetime of the reservation, at least the maximum duration of the call.

    Returns:
        The reservation, or None if no counter applies.

    Raises:
        BudgetExceededError: if a limit would be exceeded; nothing is reserved in that case.
    """
    requested: dict[LimitKey, tuple[BudgetLimit, Decimal]] = {}
    for limit in limits:
        amount = amounts.get(limit.resource, ZERO)
        if limit.period == BudgetPeriod.REQUEST:
            if spent.get(limit.resource, ZERO) + amount > limit.value:
                raise BudgetExceededError(_refusal_message(limit), limit)
        elif amount and (limit.key not in requested or limit.value < requested[limit.key][0].value):
            requested[limit.key] = (limit, amount)
    return _reserve_or_raise(list(requested.values()), seconds) if requested else None


def _reserve_or_raise(wanted: list[tuple[BudgetLimit, Decimal]], seconds: float) -> Reservation:
    reservation, refused = _try_reserve(wanted, seconds)
    # Expired reservations of processes that died must not cause a refusal.
    if refused and expire_reservations(require_tenant_id()):
        _release(reservation)
        reservation, refused = _try_reserve(wanted, seconds)
    if refused:
        _release(reservation)
        raise BudgetExceededError(_refusal_message(refused[0]), refused[0])
    assert reservation is not None  # noqa: S101 (no limit refused, so a reservation exists)
    return reservation


def _release(reservation: Reservation | None) -> None:
    if reservation:
        settle_reservation(reservation, {})


def _try_reserve(
    wanted: list[tuple[BudgetLimit, Decimal]], seconds: float
) -> tuple[Reservation | None, list[BudgetLimit]]:
    """Return the reservation, which may be partial, and the limits that refused."""
    moment = timezone.now()
    starts = [period_start(limit.period, moment) for limit, _ in wanted]
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "subjects": [limit.subject for limit, _ in wanted],
        "ids": [limit.subject_id for limit, _ in wanted],
        "resources": [limit.resource for limit, _ in wanted],
        "periods": [limit.period for limit, _ in wanted],
        "starts": starts,
        "oldest": [uuid7_floor(start) for start in starts],
        "amounts": [amount for _, amount in wanted],
        "limits": [limit.value for limit, _ in wanted],
        "expires": moment + timedelta(seconds=seconds),
    }
    with connection.cursor() as cursor:
        cursor.execute(RESERVE_SQL, parameters)
        rows = cursor.fetchall()
    amounts = {limit.key: amount for limit, amount in wanted}
    passed = {tuple(row[1:5]): row[0] for row in rows}
    refused = [limit for limit, _ in wanted if limit.key not in passed]
    held = {counter: amounts[key] for key, counter in passed.items()}
    resources = {counter: key[2] for key, counter in passed.items()}
    return (Reservation(rows[0][5], held, resources) if rows else None), refused


def settle_reservation(reservation: Reservation, used: Mapping[str, Decimal]) -> None:
    """Release the reservation and count actual usage by resource, even if it has expired.

    Publishes a warning for each limit whose usage passes its `warn_at_percent`.
    """
    counters = list(reservation.held)
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "reservation": reservation.id,
        "counters": counters,
        "held": [reservation.held[counter] for counter in counters],
        "used": [used.get(reservation.resources[counter], ZERO) for counter in counters],
        "percent": WARN_AT_PERCENT,
    }
    with connection.cursor() as cursor:
        cursor.execute(SETTLE_SQL, parameters)
        rows = cursor.fetchall()
    for *limit, start, total, percent in rows:
        _publish_warning(BudgetLimit(*limit), start, total, percent)


def expire_reservations(tenant_id: UUID | None = None) -> int:
    """Release expired reservations of one tenant, or of all in the platform scope, and return the count."""
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE_SQL, {"tenant": tenant_id})
        return int(cursor.fetchone()[0])


def period_start(period: str, moment: datetime) -> datetime:
    """Return the start of the period that contains `moment`, in UTC."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == BudgetPeriod.DAY:
        return day
    return day.replace(day=1) if period == BudgetPeriod.MONTH else EPOCH


def publish_refusal(limit: BudgetLimit) -> None:
    """Publish that a limit refused a call: once a day, or once a month if the limit is monthly.

    Call it in a separate transaction: that of the refused call is rolled back.
    """
    event = BudgetExceededEvent(**_describe(limit))
    period = BudgetPeriod.MONTH if limit.period == BudgetPeriod.MONTH else BudgetPeriod.DAY
    _publish_for_period(event, limit, period_start(period, timezone.now()))


def _publish_warning(limit: BudgetLimit, start: datetime, used: Decimal, percent: int) -> None:
    event = BudgetWarningEvent(**_describe(limit), used=float(used), percent=percent)
    _publish_for_period(event, limit, start)


def _describe(limit: BudgetLimit) -> dict[str, Any]:
    """Return the fields that the events of a limit share."""
    return dict(zip(("subject", "subject_id", "resource", "period"), limit.key, strict=True)) | {
        "limit": float(limit.value)
    }


def _publish_for_period(event: BudgetEvent, limit: BudgetLimit, start: datetime) -> None:
    publish_once(event, key=f"{event.name}:{':'.join(map(str, limit.key))}:{start:%Y-%m-%d}")


def _refusal_message(limit: BudgetLimit) -> str:
    return f"This request exceeds the budget: {limit}."
