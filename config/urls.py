"""Every address of Conclave."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.api.health import healthz, readyz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/", include("config.api.urls")),
    path("v1/", include("conversations.api.openai.urls")),
    path("accounts/", include("allauth.urls")),
    path("console/", admin.site.urls),
]
