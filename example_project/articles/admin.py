from django.apps import apps
from django.contrib import admin

from articles.models import Article
from ideogram_django.admin import GenerateImagesMixin, OutOfDate, OutOfDateFilter

if apps.is_installed("unfold"):
    from unfold.admin import ModelAdmin

    from articles import with_unfold  # noqa: F401 - registers the pictures anew
else:
    from django.contrib.admin import ModelAdmin


@admin.register(Article)
class ArticleAdmin(GenerateImagesMixin, ModelAdmin):
    list_display = ["title", OutOfDate("hero"), "author", "published_at"]
    list_filter = [("hero", OutOfDateFilter)]
    search_fields = ["title", "standfirst", "body"]
    prepopulated_fields = {"slug": ["title"]}
    generate_images_field = "hero"
    generate_images_prompt = "{title}, editorial illustration"
