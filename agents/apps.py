from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.services.mcp_owners import release_shared_servers
        from tenants.signals import tenant_deleting

        tenant_deleting.connect(release_shared_servers, dispatch_uid="agents.release_shared_servers")
