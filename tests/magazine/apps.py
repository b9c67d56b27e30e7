from __future__ import annotations

from django.apps import AppConfig


class MagazineConfig(AppConfig):
    name = "tests.magazine"
    label = "magazine"
