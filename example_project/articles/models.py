from django.db import models
from django.urls import reverse
from django.utils import timezone

from ideogram_django.fields import GeneratedImageField


class Article(models.Model):
    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True)
    standfirst = models.TextField(blank=True, help_text="One or two sentences below the title.")
    body = models.TextField(help_text="An empty line begins a new paragraph.")
    author = models.CharField(max_length=100)
    published_at = models.DateTimeField(default=timezone.now)
    hero = GeneratedImageField(
        prompt_template="{title}, editorial illustration", aspect_ratio="16:9"
    )

    class Meta:
        ordering = ["-published_at", "-id"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("article", args=[self.slug])
