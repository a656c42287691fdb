"""Addresses below `/api/`."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from .docs import openapi_json, openapi_yaml, redoc, swagger
from .exceptions import problem_response
from .routers import build_router


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """The answer to every address of the API that is none."""
    return problem_response(request, 404, "not_found", "There is nothing at this address.")


urlpatterns = [
    path("v1/openapi.json", openapi_json, name="api-openapi"),
    path("v1/openapi.yaml", openapi_yaml, name="api-openapi-yaml"),
    path("v1/docs/", swagger, name="api-docs"),
    path("v1/redoc/", redoc, name="api-redoc"),
    path("v1/", include(build_router().urls)),
    # No pattern at all: an address may hold line breaks, which no wildcard takes.
    re_path(r"", unknown_address),
]
