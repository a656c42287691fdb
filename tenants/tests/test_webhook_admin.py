"""Console page of webhook endpoints."""

from django.urls import reverse

from config.tenancy.scope import tenant_scope
from tenants.models import WebhookEndpoint


def test_console_adds_an_endpoint_and_shows_the_secret_once(member, admin_client):
    form = {"url": "https://receiver.example/", "description": "", "event_types": "[]", "is_enabled": "on"}
    page = admin_client.post(reverse("admin:tenants_webhookendpoint_add"), form)
    with tenant_scope(member.tenant_id, user=member.user):
        endpoint = WebhookEndpoint.objects.get()
        secret = endpoint.secret
    later = admin_client.get(reverse("admin:tenants_webhookendpoint_change", args=[endpoint.pk]))

    assert secret.startswith("whsec_")
    assert endpoint.created_by_id == member.user_id
    assert secret in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert (later.status_code, secret in later.content.decode()) == (200, False)
