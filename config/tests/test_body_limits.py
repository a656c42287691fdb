"""Body limits of handlers that accept files, and of all others."""

import pytest
from django.urls import get_resolver
from rest_framework.parsers import MultiPartParser

from config.api.body_limits import IMPORT_BODY, JSON_BODY, UPLOAD_BODY, find_view, get_body_limit
from config.api.checks import iter_callbacks


def test_upload_views_declare_a_limit():
    undeclared = [
        view.cls.__name__
        for view in iter_callbacks(get_resolver().url_patterns)
        if MultiPartParser in getattr(getattr(view, "cls", None), "parser_classes", ())
        and ("post" in (getattr(view, "actions", None) or {}) or hasattr(view.cls, "post"))
        and get_body_limit(view, "POST", has_session_cookie=False) is JSON_BODY
    ]
    assert undeclared == []


UUID = "01a22676-7bd0-7c53-befe-fcdbafd7f927"


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (f"/api/v1/collections/{UUID}/documents/", UPLOAD_BODY),
        (f"/api/v1/conversations/{UUID}/attachments/", UPLOAD_BODY),
        ("/api/v1/collections/import/", IMPORT_BODY),
        ("/v1/files", UPLOAD_BODY),
        ("/console/knowledge/document/add/", UPLOAD_BODY),
        ("/api/v1/agents/", JSON_BODY),
        ("/console/login/", JSON_BODY),
    ],
)
def test_limit_of_a_path(path, limit):
    assert get_body_limit(find_view(path), "POST", has_session_cookie=False) is limit


def test_console_forms_accept_files_only_with_a_session():
    view = find_view("/console/knowledge/collection/add/")
    assert get_body_limit(view, "POST", has_session_cookie=True) is UPLOAD_BODY
    assert get_body_limit(view, "POST", has_session_cookie=False) is JSON_BODY
    assert find_view("/webhooks/unknown") is None
