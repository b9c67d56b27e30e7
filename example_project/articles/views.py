from collections.abc import Iterable

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from articles.models import Article


def home(request: HttpRequest) -> HttpResponse:
    articles = list(published())
    context = {
        "lead": articles[0] if articles else None,
        "articles": articles[1:],
        "waiting": waiting(articles),
    }
    return render(request, "articles/home.html", context)


def article(request: HttpRequest, slug: str) -> HttpResponse:
    article = get_object_or_404(published(), slug=slug)
    more = published().exclude(pk=article.pk)[:3]
    context = {"article": article, "more": more, "waiting": waiting([article])}
    return render(request, "articles/article.html", context)


def published() -> QuerySet[Article]:
    return Article.objects.filter(published_at__lte=timezone.now()).select_related("hero__replaces")


def waiting(articles: Iterable[Article]) -> bool:
    """Whether a picture is on its way; the page then looks again by itself, for the demo."""
    return any(article.hero is not None and article.hero.is_in_progress for article in articles)
