from django.contrib import admin

from articles.models import Article
from ideogram_django.admin import GenerateImagesMixin


@admin.register(Article)
class ArticleAdmin(GenerateImagesMixin, admin.ModelAdmin):
    list_display = ["title", "author", "published_at", "hero"]
    list_select_related = ["hero"]
    search_fields = ["title", "standfirst", "body"]
    prepopulated_fields = {"slug": ["title"]}
    generate_images_field = "hero"
    generate_images_prompt = "{title}, editorial illustration"
