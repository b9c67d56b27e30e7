from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article


def article(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Article.objects.select_related("hero__replaces"), pk=pk)
    return render(request, "magazine/article.html", {"article": found})


def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A public form: outside the admin, for whoever comes."""
    found = get_object_or_404(Article, pk=pk) if pk else None
    form = ArticleForm(
        request.POST or None, request.FILES or None, instance=found, user=request.user
    )
    if request.method == "POST" and form.is_valid():
        return redirect("article", pk=form.save().pk)
    return render(request, "magazine/edit.html", {"form": form})
