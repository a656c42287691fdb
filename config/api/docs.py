"""OpenAPI document, Swagger UI and Redoc."""

import gzip
import hashlib
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import orjson
import yaml
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from config.middleware import accepts_gzip

from .etags import not_modified

MEDIA_TYPE = "application/vnd.oai.openapi"
_lock = Lock()


class Page(NamedTuple):
    """A document in one format: plain, compressed, and its entity tag."""

    plain: bytes
    compressed: bytes
    tag: str


@cache
def _document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated once per process."""
    with _lock:
        return _document()


def _page(content: bytes) -> Page:
    return Page(content, gzip.compress(content, mtime=0), hashlib.sha256(content).hexdigest()[:32])


@cache
def _as_json() -> Page:
    return _page(orjson.dumps(document(), option=orjson.OPT_NON_STR_KEYS, default=str))


@cache
def _as_yaml() -> Page:
    # The emitter in C takes a third of the time.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    content = orjson.loads(_as_json().plain)
    return _page(yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True).encode())


def warm_up() -> None:
    """Generate the document before the first request."""
    _as_json()


def _respond(request: HttpRequest, page: Page, media_type: str) -> HttpResponse:
    """Return the page or 304, compressed if the client accepts it. The page is public."""
    is_compressed = accepts_gzip(request)
    etag = f'"{page.tag}{"-gzip" if is_compressed else ""}"'
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Accept-Encoding"}
    if not_modified(request, etag):
        return HttpResponse(status=304, headers=headers)
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    content = page.compressed if is_compressed else page.plain
    return HttpResponse(content, content_type=media_type, headers=headers)


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Return the document as JSON."""
    return _respond(request, _as_json(), f"{MEDIA_TYPE}+json")


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    """Return the document as YAML."""
    return _respond(request, _as_yaml(), MEDIA_TYPE)


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
