"""Admin of judged questions."""

from django.contrib import admin, messages
from unfold.decorators import display

from config.admin.bases import BaseModelAdmin, fieldset
from config.admin.filters import CreatedFilter
from knowledge.choices import QuestionOrigin, QuestionStatus
from knowledge.models import JudgedQuestion
from knowledge.services.judged_questions import (
    ReviewError,
    accept_question,
    detect_judged_language,
    reject_question,
    share_question,
)


@admin.register(JudgedQuestion)
class JudgedQuestionAdmin(BaseModelAdmin):
    """Questions with the documents that answer them. Evaluations use the accepted ones."""

    resource = "collections"
    icon = "quiz"
    position = 42
    list_display = (
        "question",
        "collection",
        "language",
        "origin",
        "review_status",
        "is_shared",
        "created_at",
    )
    list_filter = ("status", "origin", CreatedFilter)
    search_fields = ("question",)
    actions = ("accept", "reject", "share")
    fieldsets = (
        fieldset(None, "collection", "question", "grades", "gold"),
        fieldset(
            "Review", ("status", "is_shared"), ("origin", "language"), "chunk", ("reviewed_by", "reviewed_at")
        ),
    )

    @display(
        description="Status",
        ordering="status",
        label={QuestionStatus.ACCEPTED.label: "success", QuestionStatus.REJECTED.label: "danger"},
    )
    def review_status(self, question):
        return question.get_status_display()

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        return [*readonly, "collection"] if obj else readonly

    def save_model(self, request, obj, form, change):
        if not change:
            obj.origin, obj.is_shared = QuestionOrigin.MANUAL, True
        obj.language = detect_judged_language(obj.question, obj.collection)
        super().save_model(request, obj, form, change)

    @admin.action(description="Accept", permissions=["change"])
    def accept(self, request, queryset):
        self._review(request, queryset, accept_question)

    @admin.action(description="Reject", permissions=["change"])
    def reject(self, request, queryset):
        self._review(request, queryset, reject_question)

    @admin.action(description="Share with the organisation", permissions=["view"])
    def share(self, request, queryset):
        self._review(request, queryset, share_question)

    def _review(self, request, queryset, change):
        """Change each question; report those that cannot be changed."""
        refused = []
        for question in queryset:
            try:
                change(question)
            except ReviewError as error:
                refused.append(f"{question}: {' '.join(error.messages)}")
        if refused:
            messages.error(request, " ".join(refused))
