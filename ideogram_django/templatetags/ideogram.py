"""``{% load ideogram %}{% generated_image article.hero alt="…" sizes="100vw" class="hero" %}``"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.utils.safestring import SafeString

from ideogram_django.templatetags import rendering

register = template.Library()


class PictureNode(template.Node):
    def __init__(self, image: FilterExpression, options: dict[str, FilterExpression]) -> None:
        self.image = image
        self.options = options

    def render(self, context: template.Context) -> SafeString:
        options = {name: value.resolve(context) for name, value in self.options.items()}
        return rendering.generated_image(
            self.image.resolve(context, ignore_failures=True), **options
        )


@register.tag
def generated_image(parser: Parser, token: Token) -> PictureNode:
    """An ``<img>`` with every stored width; a placeholder of the right shape before that.

    ``alt``, ``class``, ``sizes``, ``loading`` and the like by keyword; ``data_x`` and ``aria_x``
    become attributes.
    """
    tag, *bits = token.split_contents()
    if not bits:
        raise template.TemplateSyntaxError(f"“{tag}” needs a picture: {{% {tag} article.hero %}}")
    image, *rest = bits
    options = token_kwargs(rest, parser)
    if rest:
        raise template.TemplateSyntaxError(
            f"“{tag}” takes one picture, then keywords: {rendering.choices()}. "
            f"“{rest[0]}” is neither."
        )
    unknown = rendering.unknown_arguments(options)
    if unknown:
        raise template.TemplateSyntaxError(
            f"“{tag}” does not know “{unknown[0]}”. There are: {rendering.choices()}."
        )
    return PictureNode(parser.compile_filter(image), options)


@register.simple_tag
def generated_image_url(image: Any, width: int | None = None) -> str:
    """Address of the smallest stored file that is at least ``width`` pixels wide."""
    return rendering.image_url(image, width)
