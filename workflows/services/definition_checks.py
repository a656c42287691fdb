"""Checks of a definition against the rows of its tenant: agents, tools, servers, collections, roles and workflows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from accounts.choices import MemberRole
from accounts.models import Role
from agents.choices import AgentStatus, BuiltinTool
from agents.models import Agent, AgentVersion, McpServerConfig
from agents.services.http_accounts import find_http_account
from config.db.json_schema import SchemaError, validation_errors
from conversations.runtime.structured_output import validate_schema
from knowledge.choices import CollectionStatus
from knowledge.models import Collection
from tenants.event_types import EVENT_TYPES
from workflows import schemas
from workflows.choices import TriggerType, WorkflowStatus
from workflows.language.bodies import (
    AgentBody,
    EmitBody,
    ExpertGroupBody,
    HttpBody,
    HumanTaskBody,
    McpBody,
    RetrievalBody,
    StepBody,
    ToolBody,
    WorkflowBody,
)
from workflows.language.checks import find_problems
from workflows.language.definition import TriggerEntry, WorkflowDefinition
from workflows.language.expressions import ExpressionChecker, ExpressionError, find_expressions
from workflows.language.steps import MapBody, Path
from workflows.models import Workflow, WorkflowVersion
from workflows.services.nesting import MAX_DEPTH

# Search in collections is a step kind.
TOOLS = frozenset(BuiltinTool.values) - {BuiltinTool.SEARCH_KNOWLEDGE}
PINNED, LATEST = "pinned", "latest"


def find_definition_errors(
    document: Any, *, slug: str = "", are_rows_checked: bool = True
) -> list[SchemaError]:
    """Return every error of a document: its form, its expressions, and references to missing rows.

    Args:
        document: definition in the current or an earlier form.
        slug: slug of its workflow.
        are_rows_checked: whether to look for the agents, tools and workflows of the scope's tenant.
    """
    if found := validation_errors(WorkflowDefinition, document):
        return found
    definition = WorkflowDefinition.model_validate(document)
    if not definition.steps:
        return [(("steps",), "Add a step.")]
    rows = _TenantChecker(definition, slug).check() if are_rows_checked else ()
    return [*find_problems(definition), *rows]


def get_step_id(document: Any, path: Path) -> str:
    """Return the ID of the innermost step that an error's path leads to, or an empty string."""
    found = ""
    for member in path:
        try:
            document = document[member]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(document, dict) and isinstance(document.get("id"), str) and "kind" in document:
            found = document["id"]
    return found


def iterate_bodies(definition: WorkflowDefinition) -> Iterator[tuple[Path, StepBody]]:
    """Yield every step and compensation with its path."""
    for path, step in definition.iterate_steps():
        yield path, step
        if compensation := getattr(step, "compensate", None):
            yield (*path, "compensate"), compensation


class _TenantChecker:
    """Checks of one document."""

    def __init__(self, definition: WorkflowDefinition, slug: str) -> None:
        self.definition, self.slug = definition, slug
        self.bodies = list(iterate_bodies(definition))
        self._agents: dict[str, Agent | None] = {}

    def check(self) -> Iterator[SchemaError]:
        checks: dict[type[StepBody], Callable[[Any], Iterator[SchemaError]]] = {
            AgentBody: self._check_agent,
            ExpertGroupBody: self._check_experts,
            ToolBody: self._check_tool,
            McpBody: self._check_mcp,
            RetrievalBody: self._check_retrieval,
            HttpBody: self._check_http,
            HumanTaskBody: self._check_roles,
            EmitBody: self._check_event,
            WorkflowBody: self._check_workflow,
            MapBody: self._check_workflow,
        }
        for path, body in self.bodies:
            for kind, check in checks.items():
                if isinstance(body, kind):
                    yield from (((*path, *member), text) for member, text in check(body))
        for place, trigger in enumerate(self.definition.triggers):
            yield from ((("triggers", place, *member), text) for member, text in self._check_trigger(trigger))
        yield from find_recursion(self.definition, self.slug)

    def _check_trigger(self, trigger: TriggerEntry) -> Iterator[SchemaError]:
        config = trigger.model_extra or {}
        if found := validation_errors(schemas.TRIGGERS[trigger.type], config):
            yield from found
            return
        values = config.get("input") or {}
        checker = ExpressionChecker({"trigger": "dyn"})
        try:
            problems = [checker.check(expression) for expression in find_expressions(values)]
        except ExpressionError as error:
            problems = [str(error)]
        yield from ((("input",), problem) for problem in problems if problem)
        if trigger.type != TriggerType.MANUAL:
            yield from _check_members(self.definition.input, values)

    def _find_agent(self, name: str) -> Agent | None:
        if name not in self._agents:
            self._agents[name] = Agent.objects.all().named(name).first()
        return self._agents[name]

    def _find_agent_problem(self, name: str) -> str:
        agent = self._find_agent(name)
        if agent is None:
            return f"The agent {name} does not exist."
        return "" if agent.status == AgentStatus.ACTIVE else f"The agent {name} is not active."

    def _check_agent(self, body: AgentBody) -> Iterator[SchemaError]:
        if problem := self._find_agent_problem(body.agent):
            yield ("agent",), problem
        elif body.version is not None:
            versions = AgentVersion.objects.filter(agent=self._find_agent(body.agent), version=body.version)
            if not versions.exists():
                yield ("version",), f"The agent {body.agent} has no version {body.version}."
        if body.output_schema is not None and (problem := validate_schema(body.output_schema)):
            yield ("output_schema",), problem

    def _check_experts(self, body: ExpertGroupBody) -> Iterator[SchemaError]:
        for place, slug in enumerate(body.agents):
            if problem := self._find_agent_problem(slug):
                yield ("agents", place), problem
            if slug in body.agents[:place]:
                yield ("agents", place), f"The agent {slug} is listed twice."

    def _check_tool(self, body: ToolBody) -> Iterator[SchemaError]:
        if body.tool not in TOOLS:
            yield ("tool",), f"The tool {body.tool} does not exist. Tools: {', '.join(sorted(TOOLS))}."

    @cached_property
    def _servers(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Argument schemas of the tools of the tenant's servers, by slug and tool."""
        named = {body.server for _, body in self.bodies if isinstance(body, McpBody)}
        rows = McpServerConfig.objects.filter(enabled=True, mcp_server__slug__in=named)
        return {
            slug: {tool["name"]: tool.get("inputSchema") or {} for tool in tools}
            for slug, tools in rows.values_list("mcp_server__slug", "mcp_server__tool_definitions")
        }

    def _check_mcp(self, body: McpBody) -> Iterator[SchemaError]:
        tools = self._servers.get(body.server)
        if tools is None:
            yield ("server",), f"The MCP server {body.server} does not exist or is not configured."
        elif body.tool not in tools:
            yield ("tool",), f"The MCP server {body.server} has no tool {body.tool}."
        else:
            yield from _check_members(tools[body.tool], body.input)

    def _check_retrieval(self, body: RetrievalBody) -> Iterator[SchemaError]:
        active = Collection.objects.exclude(status=CollectionStatus.ARCHIVED)
        if not active.filter(slug=body.collection).exists():
            yield ("collection",), f"The collection {body.collection} does not exist or is archived."

    def _check_http(self, body: HttpBody) -> Iterator[SchemaError]:
        if body.integration and find_http_account(body.integration) is None:
            yield (
                ("integration",),
                f"The integration {body.integration} does not exist or is not an HTTP service.",
            )

    def _check_event(self, body: EmitBody) -> Iterator[SchemaError]:
        if body.event in EVENT_TYPES:
            yield ("event",), f"Only Conclave publishes {body.event} events."

    def _check_roles(self, body: HumanTaskBody) -> Iterator[SchemaError]:
        if unknown := set(body.roles) - set(MemberRole.values):
            unknown -= set(Role.objects.filter(slug__in=unknown).values_list("slug", flat=True))
        for place, role in enumerate(body.roles):
            if role in unknown:
                yield ("roles", place), f"The role {role} does not exist."

    def _check_workflow(self, body: Any) -> Iterator[SchemaError]:
        if body.workflow is None:
            return
        workflow = Workflow.objects.filter(slug=body.workflow, deleted_at=None).first()
        wanted = getattr(body, "version", LATEST)
        version = find_version(body.workflow, wanted)
        if workflow is None or workflow.status == WorkflowStatus.ARCHIVED:
            yield ("workflow",), f"The workflow {body.workflow} does not exist or is archived."
        elif version is None and body.workflow != self.slug:
            number = f"version {wanted}" if isinstance(wanted, int) else "published version"
            yield ("workflow",), f"The workflow {body.workflow} has no {number}."
        elif version is not None:
            definition = version.snapshot.get("definition", {})
            yield from _check_members(definition.get("input") or {}, body.input)


def _check_members(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[SchemaError]:
    """Yield the missing and the unknown members of an input, whose values are known only in a run."""
    for name in schema.get("required") or ():
        if name not in values:
            yield ("input",), f"Add {name}, which is required."
    if schema.get("additionalProperties") is False:
        for name in values.keys() - (schema.get("properties") or {}).keys():
            yield ("input", name), f"The schema does not declare {name}."


def find_version(slug: str, wanted: str | int = LATEST) -> WorkflowVersion | None:
    """Return a published version of a workflow, by default the latest."""
    rows = WorkflowVersion.objects.filter(workflow__slug=slug, workflow__deleted_at=None)
    return (rows.filter(version=wanted) if isinstance(wanted, int) else rows).order_by("-version").first()


def list_workflows(definition: WorkflowDefinition) -> Iterator[tuple[Path, str, str | int]]:
    """Yield path, slug and wanted version of the workflows that a definition starts."""
    for path, body in iterate_bodies(definition):
        slug = getattr(body, "workflow", None)
        if slug:
            yield (*path, "workflow"), slug, getattr(body, "version", LATEST)


def find_recursion(definition: WorkflowDefinition, slug: str) -> Iterator[SchemaError]:
    """Yield the steps that start their own workflow again, also by others, or nest too deeply."""
    loaded: dict[tuple[str, str | int], list[tuple[str, str | int]]] = {}

    def load(name: str, wanted: str | int) -> list[tuple[str, str | int]]:
        key = (name, wanted if isinstance(wanted, int) else LATEST)
        if key not in loaded:
            version = find_version(*key)
            child = WorkflowDefinition.model_validate(version.snapshot["definition"]) if version else None
            loaded[key] = [(each, number) for _, each, number in list_workflows(child)] if child else []
        return loaded[key]

    for path, name, wanted in list_workflows(definition):
        chain = _find_chain(slug, name, wanted, load)
        if chain and chain[-1] == slug:
            yield path, f"The workflow starts itself: {' -> '.join(chain)}."
        elif chain:
            yield path, f"Workflows nest more than {MAX_DEPTH} levels deep: {' -> '.join(chain)}."


def _find_chain(
    slug: str,
    name: str,
    wanted: str | int,
    load: Callable[[str, str | int], Iterable[tuple[str, str | int]]],
) -> list[str]:
    """Return the chain of workflows from `slug` back to itself or beyond the depth, or an empty list."""
    level = {(name, wanted): [slug, name]}
    seen = set(level)
    for _ in range(MAX_DEPTH):
        following: dict[tuple[str, str | int], list[str]] = {}
        for (each, number), chain in level.items():
            if each == slug and slug:
                return chain
            for child in load(each, number):
                if child not in seen:
                    following[child] = [*chain, child[0]]
        seen |= following.keys()
        level = following
    return next(iter(level.values()), [])
