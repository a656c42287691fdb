"""Webhook routes below `/webhooks/`."""

from django.urls import path

from .payments import stripe_webhook

urlpatterns = [path("stripe", stripe_webhook, name="stripe-webhook")]
