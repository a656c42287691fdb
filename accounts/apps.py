from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.services.members import set_up_tenant
        from tenants.signals import tenant_created

        tenant_created.connect(set_up_tenant, dispatch_uid="accounts.set_up_tenant")
