"""``path("ideogram/", include("ideogram_django.urls"))``"""

from __future__ import annotations

from django.urls import path

from ideogram_django import views

app_name = "ideogram_django"

urlpatterns = [
    path("webhook/<uuid:uuid>/<str:token>/", views.webhook, name="webhook"),
    # Without the slash too: APPEND_SLASH would redirect, and a POST does not survive that.
    path("webhook/<uuid:uuid>/<str:token>", views.webhook),
    path("status/", views.status, name="status"),
    path("choose/", views.choose, name="choose"),
    path("metrics/", views.metrics, name="metrics"),
    path("make/", views.make, name="make"),
]
