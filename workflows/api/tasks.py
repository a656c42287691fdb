"""Read-only endpoints for agent tasks and agent performance."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import AgentPerformanceDaily, AgentTask


class AgentTaskSerializer(ReadOnlySerializer):
    """A task of an agent."""

    class Meta:
        model = AgentTask
        fields = (
            "task_id",
            "parent_task_id",
            "flow_id",
            "flow_type",
            "master_flow",
            "agent",
            "agent_name",
            "agent_type",
            "agent_version",
            "task_type",
            "task_description",
            "input_data",
            "status",
            "started_at",
            "completed_at",
            "duration_seconds",
            "output_data",
            "error_message",
            "error_details",
            "retry_count",
            "tokens_used",
            "api_calls_made",
            "memory_used_mb",
            "cost",
        )


class AgentPerformanceDailySerializer(ReadOnlySerializer):
    """Performance of an agent on one day."""

    class Meta:
        model = AgentPerformanceDaily
        fields = (
            "date",
            "agent_name",
            "flow_type",
            "total_tasks",
            "successful_tasks",
            "failed_tasks",
            "avg_duration_seconds",
            "p50_duration_seconds",
            "p95_duration_seconds",
            "p99_duration_seconds",
            "total_tokens_used",
            "total_api_calls",
            "total_cost",
            "error_rate",
            "retry_rate",
        )


class AgentTaskViewSet(ReadOnlyTenantViewSet):
    """Tasks of agents."""

    serializer_class = AgentTaskSerializer
    resource = "agent-tasks"


class AgentPerformanceDailyViewSet(ReadOnlyTenantViewSet):
    """Daily performance of agents."""

    serializer_class = AgentPerformanceDailySerializer
    resource = "agent-tasks"
    ordering_fields = ("created_at", "date", "total_tasks", "total_cost")
