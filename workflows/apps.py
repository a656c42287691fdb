from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from agents.choices import WorkflowTool
        from config.receivers import connect_receiver
        from conversations.signals import answer_ended, answer_stored, feedback_stored, meeting_ended
        from conversations.tool_registry import register_agent_tool, register_mcp_tool
        from tenants.signals import events_relayed

        connect_receiver(answer_stored, "workflows.services.answer_learning.learn_from_answer")
        connect_receiver(feedback_stored, "workflows.services.answer_learning.learn_from_feedback")
        connect_receiver(events_relayed, "workflows.runtime.event_delivery.receive_relayed_events")
        connect_receiver(events_relayed, "workflows.services.event_triggers.fire_event_triggers")
        connect_receiver(answer_ended, "workflows.services.waiting_steps.wake_after_answer")
        connect_receiver(meeting_ended, "workflows.services.waiting_steps.wake_after_meeting")
        for name in WorkflowTool.values:
            path = f"workflows.runtime.agent_tools.build_{name}"
            register_agent_tool(name, path, is_idempotent=name != WorkflowTool.START_WORKFLOW)
            register_mcp_tool(f"workflows.mcp.{name}")
