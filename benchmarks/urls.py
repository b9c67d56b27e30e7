"""Addresses of the benchmarks' site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from benchmarks.naive import views
from benchmarks.naive.admin import plain_site

urlpatterns = [
    path("admin/", admin.site.urls),
    path("plain/", plain_site.urls),
    path("bare/", views.bare),
    path("naive/webhook/", views.webhook),
    path("ideogram/", include("ideogram_django.urls")),
]
