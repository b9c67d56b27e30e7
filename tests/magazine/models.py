"""A small magazine: what a site around the package looks like."""

from __future__ import annotations

from django.db import models

from ideogram_django.fields import GeneratedImageField


class Author(models.Model):
    name = models.CharField(max_length=100)
    portrait = GeneratedImageField(prompt_template="Portrait of {name}", aspect_ratio="3:4")

    def __str__(self) -> str:
        return self.name


class Article(models.Model):
    title = models.CharField(max_length=200, unique=True)
    body = models.TextField(blank=True)
    author = models.ForeignKey(Author, null=True, blank=True, on_delete=models.SET_NULL)
    hero = GeneratedImageField(
        prompt_template="{title}, editorial illustration", aspect_ratio="16:9"
    )
    cover = models.ImageField(blank=True, upload_to="covers/")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title


class Page(models.Model):
    """Edited inline with its article."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="pages")
    text = models.CharField(max_length=200)
    picture = GeneratedImageField(prompt_template="{text}, by {article.author.name}")

    def __str__(self) -> str:
        return self.text
