"""API of judged questions."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.serializers import BaseSerializer, ObjectField
from config.api.views import bodyless
from config.api.viewsets import TenantViewSet
from knowledge.api.evaluation import GRADES
from knowledge.choices import QuestionOrigin
from knowledge.models import Collection, JudgedQuestion
from knowledge.models.evaluations import MAX_GOLD, MAX_GOLD_LENGTH
from knowledge.services.judged_questions import (
    ReviewError,
    accept_question,
    detect_judged_language,
    reject_question,
    share_question,
)

GOLD = {
    "type": "array",
    "maxItems": MAX_GOLD,
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_GOLD_LENGTH},
    "example": ["about six hours"],
}


@extend_schema_field(GRADES | {"example": {"tides.md": 2, "moon.md": 1}})
class GradesField(ObjectField):
    """Relevance grades by document source."""


@extend_schema_field(GOLD)
class GoldField(serializers.JSONField):
    """Texts of correct answers."""


class JudgedQuestionSerializer(BaseSerializer):
    """A question with the grades of the documents of a collection."""

    grades = GradesField(
        required=False,
        validators=JudgedQuestion._meta.get_field("grades").validators,
        help_text="Relevance grade of each document, from 0 to 10, by its source.",
    )
    gold = GoldField(
        required=False,
        validators=JudgedQuestion._meta.get_field("gold").validators,
        help_text="Texts of which a correct answer contains at least one.",
    )

    class Meta:
        model = JudgedQuestion
        fields = (
            "collection",
            "question",
            "grades",
            "gold",
            "chunk",
            "language",
            "origin",
            "status",
            "is_shared",
            "reviewed_at",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep the collection, and detect the language of the question."""
        attrs = super().validate(attrs)
        question: Any = self.instance
        moved_to = attrs.get("collection_id")
        if question and moved_to not in (None, question.collection_id):
            raise serializers.ValidationError({"collection": "The collection cannot be changed."})
        if "question" in attrs and attrs["question"] != getattr(question, "question", ""):
            collection = question.collection if question else Collection.objects.filter(pk=moved_to).first()
            attrs["language"] = detect_judged_language(attrs["question"], collection)
        return attrs


class JudgedQuestionViewSet(TenantViewSet):
    """Judged questions of collections; evaluations use the accepted ones.

    Suggestions from feedback are visible to their user, and to all once they are shared.
    """

    serializer_class = JudgedQuestionSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at")
    search_fields = ("question",)
    # Only its user can see a private question, and so share it.
    verbs = {"accept": "write", "reject": "write", "share": "read"}

    def perform_create(self, serializer: BaseSerializer) -> Any:
        return serializer.save(origin=QuestionOrigin.MANUAL, is_shared=True)

    @bodyless(responses={200: JudgedQuestionSerializer})
    @action(detail=True, methods=["post"])
    def accept(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Use the question in evaluations. A document must have a grade above 0."""
        return self._review(accept_question)

    @bodyless(responses={200: JudgedQuestionSerializer})
    @action(detail=True, methods=["post"])
    def reject(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Do not use the question in evaluations. Rejected questions are deleted after 90 days."""
        return self._review(reject_question)

    @bodyless(responses={200: JudgedQuestionSerializer})
    @action(detail=True, methods=["post"])
    def share(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Show your own suggestion to everyone who can read the collection."""
        return self._review(share_question)

    def _review(self, change: Any) -> HttpResponse:
        question = self.get_object(lock=True)
        try:
            change(question)
        except ReviewError as error:
            raise Conflict(" ".join(error.messages), code=error.code) from error
        return self.respond_with(question.pk)
