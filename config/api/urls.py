"""URL configuration of `/api/`."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.urls.resolvers import RoutePattern
from django.views.decorators.csrf import csrf_exempt

from .docs import openapi_json, openapi_yaml, redoc, swagger
from .exceptions import problem_response
from .routers import SegmentResolver, build_router


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Return 404 for API URLs that match no route."""
    return problem_response(request, 404, "not_found", "The requested URL was not found.")


urlpatterns = [
    path("v1/openapi.json", openapi_json, name="api-openapi"),
    path("v1/openapi.yaml", openapi_yaml, name="api-openapi-yaml"),
    path("v1/docs/", swagger, name="api-docs"),
    path("v1/redoc/", redoc, name="api-redoc"),
    SegmentResolver(RoutePattern("v1/"), build_router().urls),
    # An empty pattern matches everything. `.*` would not match a URL with line breaks.
    re_path(r"", unknown_address),
]
