"""GET /metrics for Prometheus."""

import hmac
import os

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.observability import metrics


@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Return the metrics of all processes of this web server; requires METRICS_TOKEN as a bearer token."""
    if not metrics.is_on():
        raise Http404
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), os.environ[metrics.TOKEN].encode()):
        return HttpResponse("The token is wrong.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    from django_prometheus.exports import ExportToDjangoView

    return ExportToDjangoView(request)
