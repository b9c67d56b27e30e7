from __future__ import annotations

from django.urls import path

from tests import urls
from tests.magazine import views

urlpatterns = [
    *urls.urlpatterns,
    path("articles/<int:pk>/", views.article, name="article"),
    path("articles/<int:pk>/edit/", views.edit, name="edit-article"),
    path("articles/new/", views.edit, name="new-article"),
]
