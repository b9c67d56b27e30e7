from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from tests.sample_site import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ideogram/", include("ideogram_django.urls")),
    path("pictures/", views.pictures),
    path("pictures/<uuid:key>/<slug:verb>/", views.act),
    path("posters/", views.poster),
    path("products/", views.shelf),
    path("products/new/", views.new_product),
]
