"""Route of webhooks that start runs."""

from django.urls import path

from .hooks import receive_hook

urlpatterns = [path("<uuid:trigger_id>", receive_hook, name="workflow-hook")]
