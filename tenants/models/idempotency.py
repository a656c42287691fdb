"""Stored responses of idempotent requests."""

from django.db import models

from config.tenancy.models import TenantModel


class IdempotencyKey(TenantModel):
    """An `Idempotency-Key` and the response that retries receive.

    Written in the transaction of the request's changes
    (source: the IETF draft `draft-ietf-httpapi-idempotency-key-header`).
    """

    audit_exempt = "a cache of responses; the changes themselves are audited"

    tenant = models.ForeignKey(
        "tenants.Tenant",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
        db_index=False,
        help_text="Tenant of the request. Empty: a request with a platform API key.",
    )
    key = models.CharField(max_length=255, help_text="Key sent by the client.")
    credential = models.CharField(
        max_length=100, help_text="Credential: `user:…`, `key:…` or `platform-key:…`."
    )
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status_code = models.PositiveSmallIntegerField(null=True, help_text="Status of the response.")
    reference = models.JSONField(
        null=True, help_text="Rows that the request began, from which a retry can build the response."
    )
    headers = models.JSONField(default=dict, help_text="Headers of the response.")
    body = models.BinaryField(null=True, help_text="Body of the response.")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "credential", "key"],
                nulls_distinct=False,
                name="tenants_idempotencykey_once",
            )
        ]

    def __str__(self) -> str:
        return self.key
