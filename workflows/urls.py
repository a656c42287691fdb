"""Pages of workflows outside the console."""

from django.urls import path

from .views import ApprovalLinkView

urlpatterns = [path("<str:token>/", ApprovalLinkView.as_view(), name="approval-link")]
