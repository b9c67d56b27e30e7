"""The app's entry in ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks as django_checks
from django.utils.translation import gettext_lazy as _


class IdeogramDjangoConfig(AppConfig):
    name = "ideogram_django"
    label = "ideogram_django"
    verbose_name = _("Ideogram pictures")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ideogram_django import checks

        django_checks.register(checks.check_settings, "ideogram_django")
        django_checks.register(checks.check_deployment, "ideogram_django", deploy=True)
