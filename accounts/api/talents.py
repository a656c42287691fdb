"""Talent endpoints."""

from accounts.models import Talent
from config.api.serializers import BaseSerializer, TextListField
from config.api.viewsets import TenantViewSet


class TalentSerializer(BaseSerializer):
    """Skills, availability and rate of a person."""

    skills = TextListField(required=False, help_text='Skills, such as ["python", "sql"].')

    class Meta:
        model = Talent
        fields = ("user", "skills", "experience_years", "availability", "rate")


class TalentViewSet(TenantViewSet):
    """Skills and availability of people."""

    serializer_class = TalentSerializer
    resource = "talents"
    ordering_fields = ("created_at", "updated_at", "availability")
