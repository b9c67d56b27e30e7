"""``{% load ideogram %}``: ``generated_image``, ``generated_image_for``, ``generated_image_url``.

The tags are adapters: what they show is made by :mod:`ideogram_django.templatetags.rendering`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from django import template
from django.template.base import FilterExpression, Parser, Token, Variable, token_kwargs
from django.utils.safestring import SafeString

from ideogram_django.templatetags import rendering

T = TypeVar("T")

register = template.Library()


@register.tag
def generated_image(parser: Parser, token: Token) -> PictureNode:
    """A picture with every stored width; a placeholder of its shape before there is one.

    ``{% generated_image article.hero alt="…" sizes="100vw" class="hero" %}``; also ``caption``,
    ``credit``, ``loading`` and the like. ``data_x`` and ``aria_x`` become attributes.
    """
    return PictureNode(*_parsed(parser, token, "a picture", "article.hero"))


@register.tag
def generated_image_for(parser: Parser, token: Token) -> PlaceNode:
    """The picture of a fixed place, by its key; nothing where there is none.

    ``{% generated_image_for "home-hero" profile="season" sizes="100vw" %}``; keywords as
    ``generated_image``, and ``profile``, the prompt profile in which the place is wanted.
    """
    return PlaceNode(*_parsed(parser, token, "the key of a place", '"home-hero"', ["profile"]))


@register.simple_tag(takes_context=True)
def generated_image_url(context: template.Context, image: Any, width: int | None = None) -> str:
    """Address of the smallest stored file that is at least ``width`` pixels wide."""
    return _or_syntax_error("generated_image_url", _page(context).address, image, width)


class PictureNode(template.Node):
    def __init__(
        self, tag: str, subject: FilterExpression, options: Mapping[str, FilterExpression]
    ) -> None:
        self.tag = tag
        self.subject = subject
        self.varying = {name: given for name, given in options.items() if not _is_fixed(given)}
        # Values that stand in the template, and the place of the others among them.
        self.fixed = {
            name: None if name in self.varying else _value(name, given, template.Context())
            for name, given in options.items()
        }
        self.keywords = _or_syntax_error(tag, self._keywords)

    def render(self, context: template.Context) -> SafeString:
        options: Mapping[str, Any] = self.fixed
        if self.varying:
            varying = {name: _value(name, one, context) for name, one in self.varying.items()}
            options = {**options, **varying}
        subject = self.subject.resolve(context, ignore_failures=True)
        try:
            return self._html(_page(context), subject, options)
        except rendering.ArgumentError as error:
            raise template.TemplateSyntaxError(f"“{self.tag}” {error}") from error

    def _keywords(self) -> rendering.Keywords:
        return rendering.Keywords(self.fixed, self.varying)

    def _html(self, page: rendering.Page, subject: Any, options: Mapping[str, Any]) -> SafeString:
        return page.picture(subject, options, self.keywords)


class PlaceNode(PictureNode):
    def _keywords(self) -> rendering.Keywords:
        own = {name: value for name, value in self.fixed.items() if name != "profile"}
        return rendering.Keywords(own)

    def _html(self, page: rendering.Page, subject: Any, options: Mapping[str, Any]) -> SafeString:
        own = dict(options)
        return page.place(subject, profile=own.pop("profile", ""), options=own)


def _page(context: template.Context) -> rendering.Page:
    """The same for every tag of a page.

    In the lowest layer of the render context, which templates that are included or extended share.
    """
    shared: Any = context.render_context.dicts[0]
    page: rendering.Page | None = shared.get("ideogram_django.page")
    if page is None:
        page = shared["ideogram_django.page"] = rendering.Page()
    return page


def _value(name: str, given: FilterExpression, context: template.Context) -> Any:
    value = given.resolve(context)
    if _is_literal(given) and name != "caption":
        # Django takes text that stands in a template for HTML. In an attribute it is just text:
        # alt='The "Open late" sign'.
        return value[:]
    return value


def _is_literal(given: FilterExpression) -> bool:
    return isinstance(given.var, str) and not given.filters


def _is_fixed(given: FilterExpression) -> bool:
    """Whether it has the same value always: a text, a number, or one of Python's three words."""
    if _is_literal(given):
        return True
    variable = given.var
    if given.filters or not isinstance(variable, Variable) or variable.translate:
        return False
    return variable.lookups is None or variable.var in ("True", "False", "None")


def _parsed(
    parser: Parser, token: Token, what: str, example: str, own: Collection[str] = ()
) -> tuple[str, FilterExpression, dict[str, FilterExpression]]:
    tag, *bits = token.split_contents()
    if not bits or token_kwargs(bits[:1], parser):
        raise template.TemplateSyntaxError(f"“{tag}” needs {what}: {{% {tag} {example} %}}")
    subject, *rest = bits
    options = token_kwargs(rest, parser)
    if rest:
        raise template.TemplateSyntaxError(
            f"“{tag}” takes {what}, then keywords: {', '.join([*own, rendering.choices()])}. "
            f"“{rest[0]}” is neither."
        )
    return tag, parser.compile_filter(subject), options


def _or_syntax_error(tag: str, function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Wrong arguments are the template's mistake."""
    try:
        return function(*args, **options)
    except rendering.ArgumentError as error:
        raise template.TemplateSyntaxError(f"“{tag}” {error}") from error
