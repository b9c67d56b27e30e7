"""The naive app's one table."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ideogram_django.fields import GeneratedImageField


class Picture(models.Model):
    """A picture that is wanted, being made, or there."""

    prompt = models.TextField()
    model = models.CharField(max_length=100)
    aspect_ratio = models.CharField(max_length=20, blank=True)
    style_type = models.CharField(max_length=50, blank=True)
    status = models.CharField(max_length=20, default="pending", db_index=True)
    remote_id = models.CharField(max_length=64, blank=True, db_index=True)
    error = models.TextField(blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=4, default=0)
    image = models.ImageField(upload_to="naive/", blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: models.Manager[Picture] = models.Manager()

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return self.prompt[:60]


class Article(models.Model):
    """A record of the site, with a picture in this app's way and in the usual one."""

    title = models.CharField(max_length=200)
    hero = GeneratedImageField(prompt_template="{title}")
    picture = models.ImageField(upload_to="naive/", blank=True)

    objects: models.Manager[Article] = models.Manager()

    class Meta:
        app_label = "naive"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title
