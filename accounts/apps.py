from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.services.members import set_up_tenant
        from accounts.services.notifications import queue_notifications
        from accounts.services.sessions import end_tenant_sessions
        from tenants.signals import events_relayed, tenant_created, tenant_deleting

        tenant_created.connect(set_up_tenant, dispatch_uid="accounts.set_up_tenant")
        tenant_deleting.connect(end_tenant_sessions, dispatch_uid="accounts.end_tenant_sessions")
        events_relayed.connect(queue_notifications, dispatch_uid="accounts.queue_notifications")
