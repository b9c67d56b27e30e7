"""The naive app's tag: the newest finished picture of a record, looked up where it is shown."""

from __future__ import annotations

from django import template

from benchmarks.naive.models import Article
from ideogram_django.models import GeneratedImage

register = template.Library()


@register.inclusion_tag("naive/image.html")
def naive_image(article: Article) -> dict[str, object]:
    picture = GeneratedImage.objects.filter(
        pk=article.serializable_value("hero"), status="completed"
    ).first()
    return {"picture": picture, "alt": article.title}
