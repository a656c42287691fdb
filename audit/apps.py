from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit.services.platform_actions import connect_platform_actions
        from audit.services.refusals import connect_refusals
        from audit.services.signin import connect_signin

        connect_signin()
        connect_refusals()
        connect_platform_actions()
