"""Admin of search evaluations, with the report of a collection."""

import json

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from knowledge.evaluation.regression import DEFAULT_TOLERANCE, METRICS, SIGNIFICANCE_LEVEL
from knowledge.models import Collection, RagEvaluation
from knowledge.services.collection_evaluation import NoQuestionsError, save_baseline
from knowledge.services.evaluation_report import build_evaluation_report

METRIC_LABELS = {"ndcg_at_10": "nDCG@10", "recall_at_10": "Recall@10", "gold": "Correct answers"}
METRIC_COLORS = {"ndcg_at_10": "var(--color-primary-500)", "recall_at_10": "#10b981", "gold": "#f59e0b"}
CHART_OPTIONS = {
    "maintainAspectRatio": False,
    "plugins": {
        "legend": {"display": True, "position": "bottom", "align": "start", "labels": {"color": "#9ca3af"}}
    },
    "scales": {
        "x": {
            "grid": {"display": False},
            "ticks": {"color": "#9ca3af", "maxTicksLimit": 8, "maxRotation": 0},
        },
        "y": {"min": 0, "max": 1, "ticks": {"color": "#9ca3af", "stepSize": 0.2}, "grid": {"tickWidth": 0}},
    },
}


@admin.register(RagEvaluation)
class RagEvaluationAdmin(ReadOnlyAdmin):
    """Search quality on judged questions. A baseline is compared with later evaluations."""

    resource = "collections"
    icon = "speed"
    title = "Evaluations"
    position = 43
    list_display = ("name", "collection", "status", "is_baseline", "completed_at", "report_link")
    list_select_related = ("collection",)
    list_filter = (CreatedFilter, "status", "is_baseline")
    actions = ("set_baseline",)
    fieldsets = (
        fieldset(None, "name", ("collection", "status"), "completed_at", "error_message"),
        fieldset("Baseline", ("is_baseline", "tolerance"), "differences"),
        fieldset("Metrics", "results", "judgements", "scores"),
    )

    @admin.display(description="Report")
    def report_link(self, evaluation):
        url = reverse("admin:knowledge_ragevaluation_report", args=[evaluation.collection_id])
        return format_html('<a class="text-link" href="{}">Report</a>', url)

    def get_urls(self):
        view = self.admin_site.admin_view(self.report)
        page = path("report/<uuid:collection_id>/", view, name="knowledge_ragevaluation_report")
        return [page, *super().get_urls()]

    def has_baseline_permission(self, request):
        return self._may(request, "write", "UPDATE")

    @admin.action(description="Use as baseline", permissions=["baseline"])
    def set_baseline(self, request, queryset):
        try:
            for evaluation in queryset:
                save_baseline(evaluation, tolerance=DEFAULT_TOLERANCE)
        except NoQuestionsError as error:
            messages.error(request, str(error))

    def report(self, request, collection_id):
        """Show the evaluations of a collection, the metrics by language and the worst questions."""
        if not self.has_view_permission(request) or request.console.is_platform:
            raise PermissionDenied
        collection = Collection.objects.filter(pk=collection_id).first()
        if collection is None:
            raise Http404
        report = build_evaluation_report(collection)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Evaluations of {collection}",
            "opts": self.opts,
            "collection": collection,
            "report": report,
            "metrics": METRIC_LABELS.values(),
            "runs": [{"run": run, "cells": list_cells(run)} for run in report.runs],
            "chart": json.dumps(build_chart(report.runs)),
            "chart_options": json.dumps(CHART_OPTIONS),
        }
        return TemplateResponse(request, "console/evaluation_report.html", context)


def list_cells(run):
    """Return the value and the difference of each metric, and whether it is significantly better or worse."""
    differences = {row["metric"]: row for row in run.differences}
    return [
        {
            "value": getattr(run, metric),
            "difference": None if run.is_baseline else found,
            "is_better": bool(found and found["mean"] > 0 and found["p_value"] < SIGNIFICANCE_LEVEL),
        }
        for metric in METRICS
        for found in (differences.get(metric),)
    ]


def build_chart(runs):
    """Return Chart.js data: each metric over the runs, oldest first."""
    ordered = list(reversed(runs))
    return {
        "labels": [f"{run.completed_at:%d %b}" for run in ordered],
        "datasets": [
            {
                "label": METRIC_LABELS[metric],
                "data": [getattr(run, metric) for run in ordered],
                "borderColor": METRIC_COLORS[metric],
                "backgroundColor": METRIC_COLORS[metric],
                "pointStyle": "circle",
                "pointRadius": 3,
                "clip": False,
                "displayYAxis": True,
            }
            for metric in METRICS
        ],
    }
