"""Demo engagement that migrates two hundred assets, with flows and agent tasks."""

from collections.abc import Iterator
from datetime import date
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from config.demo.generator import DAYS, DemoState, micro, moment
from tenants.models import Engagement
from workflows.models import (
    AgentTask,
    AssessmentFlow,
    Asset,
    AssetDependency,
    CollectionFlow,
    DiscoveryFlow,
    ExecutionFlow,
    MasterFlow,
    PlanningFlow,
)

ASSETS = 200
TASKS = 500
UNITS = ("Finance", "Sales", "Logistics", "Research", "People")
STACKS = (["java", "oracle"], ["python", "postgresql"], ["dotnet", "sqlserver"], ["php", "mysql"], ["go"])
KINDS = ("server", "server", "server", "application", "application", "database", "service", "storage")
STRATEGIES = ("rehost", "rehost", "replatform", "refactor", "retire", "retain")
CREWS = (
    ("discovery", "scanner", "scan"),
    ("collection", "collector", "collect"),
    ("assessment", "assessor", "assess"),
    ("planning", "planner", "plan"),
)
MASTER_COLUMNS = ("status", "current_phase", "flow_type", "display_name")
ASSET_COLUMNS = (
    *("engagement_id", "master_flow_id", "discovery_flow_id", "assessment_flow_id", "asset_name"),
    *("asset_type", "application_name", "technology_stack", "business_unit", "business_criticality"),
    *("hostname", "ip_address", "os_type", "environment", "datacenter", "cpu_cores", "memory_gb"),
    *("storage_gb", "cpu_utilization_percent", "memory_utilization_percent", "six_r_strategy"),
    *("migration_complexity", "migration_priority", "migration_wave", "completeness_score"),
    *("confidence_score", "source_system", "source_id", "created_by_id"),
)
TASK_COLUMNS = (
    *("flow_id", "flow_type", "master_flow_id", "agent_name", "task_type", "status"),
    *("started_at", "completed_at", "duration_seconds", "error_message", "retry_count", "tokens_used"),
    *("api_calls_made", "cost"),
)


def make_assets(state: DemoState) -> None:
    """Create the engagement, flows, assets, dependencies, and 500 tasks per scale step."""
    flows = _flows(state)
    assets = [_asset(state, flows, number) for number in range(ASSETS)]
    state.insert(Asset, ASSET_COLUMNS, assets)
    columns = (
        *("source_id", "target_id", "dependency_type", "direction", "strength", "discovered_by"),
        *("confidence_score", "evidence"),
    )
    state.insert(AssetDependency, columns, list(_dependencies(state, assets)))
    tasks = (_task(state, flows) for _ in range(state.share(TASKS)))
    state.insert(AgentTask, TASK_COLUMNS, tasks)


def _flows(state: DemoState) -> dict[str, UUID]:
    """Create the engagement and its flows; return their ids by kind."""
    names = ("engagement", "master", "discovery", "collection", "assessment", "planning", "execution")
    ids = {name: state.id_on(place) for place, name in enumerate(names)}
    engagement = (
        *(ids["engagement"], "Data centre exit", "Migrate or retire every system of the old data centre."),
        *("migration", "active", date(2026, 5, 11), date(2027, 3, 31), 60, ASSETS, "high", state.admin_id),
    )
    columns = (
        *("name", "description", "engagement_type", "status", "start_date", "end_date"),
        *("target_applications", "target_infrastructure_units", "estimated_complexity", "created_by_id"),
    )
    state.insert(Engagement, columns, [engagement])
    master = (ids["master"], "running", "execution", "execution", "Data centre exit")
    constants = {"engagement_id": ids["engagement"], "user_id": state.admin_id}
    state.insert(MasterFlow, MASTER_COLUMNS, [master], **constants)
    _phases(state, ids, constants | {"master_flow_id": ids["master"]})
    return ids


def _phases(state: DemoState, ids: dict[str, UUID], constants: dict[str, Any]) -> None:
    ended = {
        name: moment(state.working_moment(30 * place))
        for place, name in enumerate(("discovery", "collection", "assessment", "planning"), 1)
    }

    def completed(model: Any, name: str, **values: Any) -> None:
        fixed = {"status": "completed", "completed_at": ended[name], **values}
        rows = [(ids[name], state.id_on(1), *fixed.values())]
        state.insert(model, ("flow_id", *fixed), rows, **constants)

    waves = [{"wave": wave, "assets": ASSETS // 5} for wave in range(1, 6)]
    found = {"discovery_flow_id": ids["discovery"]}
    completed(DiscoveryFlow, "discovery", discovered_assets_count=ASSETS, current_phase="done")
    completed(CollectionFlow, "collection", progress_percentage=100.0, automation_tier="tier_2", **found)
    completed(
        AssessmentFlow, "assessment", assessment_framework="6R", readiness_score=0.7, risk_score=0.4, **found
    )
    assessed = {"assessment_flow_id": ids["assessment"], "wave_count": 5, "waves": waves}
    completed(PlanningFlow, "planning", planned_assets_count=ASSETS, progress_percentage=100.0, **assessed)
    running = (ids["execution"], state.id_on(1), "running", ids["planning"], 2, ASSETS, 48, 2, 25.0)
    columns = (
        *("flow_id", "status", "planning_flow_id", "current_wave", "assets_total", "assets_migrated"),
        *("assets_failed", "progress_percentage"),
    )
    state.insert(ExecutionFlow, columns, [running], **constants)


def _asset(state: DemoState, flows: dict[str, UUID], number: int) -> tuple[Any, ...]:
    rng = state.rng
    kind, unit, stack = rng.choice(KINDS), rng.choice(UNITS), rng.choice(STACKS)
    host = f"{kind[:3]}-{unit[:3].lower()}-{number:03}"
    strategy = rng.choice(STRATEGIES)
    wave = None if strategy in ("retire", "retain") else 1 + number % 5
    return (
        *(state.id_on(rng.randrange(2, 30)), flows["engagement"], flows["master"], flows["discovery"]),
        *(flows["assessment"], host, kind, f"{unit} {stack[0]}", stack, unit),
        *(rng.choice(("critical", "high", "medium", "low")), host),
        *(IPv4Address(f"10.20.{number // 250}.{number % 250 + 1}"), rng.choice(("linux", "windows"))),
        *(rng.choice(("production", "production", "staging", "test")), "Turin 1", rng.choice((2, 4, 8, 16))),
        *(float(rng.choice((8, 16, 32, 64))), float(rng.randrange(50, 2000))),
        *(round(rng.uniform(2, 90), 1), round(rng.uniform(10, 95), 1), strategy),
        *(rng.choice(("low", "medium", "high")), number + 1, wave, round(rng.uniform(0.6, 1), 2)),
        *(round(rng.uniform(0.5, 1), 2), "cmdb", f"CI-{number:05}", state.admin_id),
    )


def _dependencies(state: DemoState, assets: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield dependencies on one or two earlier assets, which rules out cycles."""
    rng = state.rng
    for place in range(1, len(assets)):
        for target in sorted(rng.sample(range(place), min(place, rng.choice((1, 1, 2))))):
            yield (
                *(state.id_on(rng.randrange(30, 60)), assets[place][0], assets[target][0]),
                *(rng.choice(("runtime", "network", "data")), "outbound"),
                *(rng.choice(("weak", "strong", "critical")), "agent"),
                *(round(rng.uniform(0.5, 1), 2), {"port": rng.choice((443, 1521, 5432))}),
            )


def _task(state: DemoState, flows: dict[str, UUID]) -> tuple[Any, ...]:
    rng = state.rng
    flow, agent, kind = rng.choice(CREWS)
    began = state.working_moment(rng.randrange(DAYS))
    took = round(rng.lognormvariate(2.5, 0.8), 3)
    failed = rng.random() < 0.05
    tokens = rng.randrange(200, 4_000)
    return (
        *(state.id_at(began), flows[flow], flow, flows["master"], agent, kind),
        *("failed" if failed else "completed", moment(began), moment(began + int(took * 1000)), took),
        *("The host did not answer." if failed else "", int(rng.random() < 0.1), tokens, tokens // 700 + 1),
        micro(tokens * 2),
    )
