from __future__ import annotations

from django.contrib import admin

from ideogram_django.admin import GeneratedImageFieldMixin, GenerateImagesMixin
from tests.magazine.models import Article, Author, Page


class PageInline(GeneratedImageFieldMixin, admin.StackedInline):
    model = Page
    extra = 0


@admin.register(Article)
class ArticleAdmin(GenerateImagesMixin, admin.ModelAdmin):
    list_display = ["title", "author"]
    inlines = [PageInline]
    generate_images_field = "hero"
    save_as = True


@admin.register(Author)
class AuthorAdmin(GeneratedImageFieldMixin, admin.ModelAdmin):
    pass
