"""Every address of Conclave."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from agents.api.payments import stripe_webhook
from config.api.health import healthz, readyz
from config.observability.views import metrics_view
from conversations.mcp.views import McpView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics_view, name="metrics"),
    path("api/", include("config.api.urls")),
    path("webhooks/stripe", stripe_webhook, name="stripe-webhook"),
    re_path("^mcp/?$", McpView.as_view(), name="mcp"),
    path("v1/", include("conversations.api.openai.urls")),
    path("accounts/", include("allauth.urls")),
    path("console/", admin.site.urls),
]
