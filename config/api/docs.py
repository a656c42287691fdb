"""OpenAPI document, Swagger UI and Redoc."""

from functools import cache
from typing import Any

import orjson
import yaml
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated once per process."""
    return SchemaGenerator().get_schema(request=None, public=True)


@cache
def _as_json() -> bytes:
    return orjson.dumps(document(), option=orjson.OPT_NON_STR_KEYS, default=str)


@cache
def _as_yaml() -> bytes:
    return yaml.safe_dump(orjson.loads(_as_json()), sort_keys=False, allow_unicode=True).encode()


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Return the document as JSON."""
    return HttpResponse(_as_json(), content_type="application/vnd.oai.openapi+json")


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    """Return the document as YAML."""
    return HttpResponse(_as_yaml(), content_type="application/vnd.oai.openapi")


OPEN: dict[str, list[Any]] = {"authentication_classes": [], "permission_classes": [], "throttle_classes": []}
swagger = SpectacularSwaggerView.as_view(url_name="api-openapi", **OPEN)
# Redoc adds an empty style element, which it fills through the CSSOM, and a fixed one.
REDOC_STYLES = [
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
]
# The library's template loads fonts from a third-party server.
redoc = csp_update({"style-src": REDOC_STYLES})(
    SpectacularRedocView.as_view(url_name="api-openapi", template_name="config/redoc.html", **OPEN)
)
