"""Pages of accounts outside the console."""

from django.urls import path

from .views import InvitationView, MyInvitationsView

urlpatterns = [
    path("", MyInvitationsView.as_view(), name="my-invitations"),
    path("<str:token>/", InvitationView.as_view(), name="invitation"),
]
