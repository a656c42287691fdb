from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from agents.choices import WorkflowTool
        from conversations.signals import answer_ended, answer_stored, feedback_stored, meeting_ended
        from conversations.tool_registry import register_agent_tool, register_mcp_tool
        from tenants.signals import events_relayed
        from workflows.runtime.event_delivery import receive_relayed_events
        from workflows.services.answer_learning import learn_from_answer, learn_from_feedback
        from workflows.services.event_triggers import fire_event_triggers
        from workflows.services.waiting_steps import wake_after_answer, wake_after_meeting

        answer_stored.connect(learn_from_answer, dispatch_uid="workflows.learn_from_answer")
        feedback_stored.connect(learn_from_feedback, dispatch_uid="workflows.learn_from_feedback")
        events_relayed.connect(receive_relayed_events, dispatch_uid="workflows.receive_relayed_events")
        events_relayed.connect(fire_event_triggers, dispatch_uid="workflows.fire_event_triggers")
        answer_ended.connect(wake_after_answer, dispatch_uid="workflows.wake_after_answer")
        meeting_ended.connect(wake_after_meeting, dispatch_uid="workflows.wake_after_meeting")
        for name in WorkflowTool.values:
            path = f"workflows.runtime.agent_tools.build_{name}"
            register_agent_tool(name, path, is_idempotent=name != WorkflowTool.START_WORKFLOW)
            register_mcp_tool(f"workflows.mcp.{name}")
