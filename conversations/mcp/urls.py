"""Route of the MCP endpoint, with or without a trailing slash."""

from django.urls import re_path

from .views import McpView

urlpatterns = [re_path("^mcp/?$", McpView.as_view(), name="mcp")]
