"""Root URL configuration; each app provides its own routes."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.api.health import healthz, readyz
from config.observability.views import metrics_view

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics_view, name="metrics"),
    path("api/", include("config.api.urls")),
    path("webhooks/", include("agents.api.webhook_urls")),
    path("hooks/", include("workflows.api.hook_urls")),
    path("", include("conversations.mcp.urls")),
    path("v1/", include("conversations.api.openai.urls")),
    path("accounts/", include("allauth.urls")),
    path("invitations/", include("accounts.urls")),
    path("approvals/", include("workflows.urls")),
    path("console/", admin.site.urls),
]
