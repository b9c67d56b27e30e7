"""``path("ideogram/", include("ideogram_django.urls"))``"""

from __future__ import annotations

from django.urls import path

from ideogram_django import views

app_name = "ideogram_django"

urlpatterns = [
    path("webhook/<uuid:uuid>/<str:token>/", views.webhook, name="webhook"),
    path("status/", views.status, name="status"),
]
