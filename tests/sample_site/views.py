"""Pictures for people and for programs. The model API asks for no permission, so views do."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.core.files import File
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import SafeString

from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import with_pictures
from ideogram_django.templatetags.rendering import (
    ArgumentError,
    Places,
    generated_image,
    generated_image_for,
    generated_image_url,
)
from tests.sample_site.forms import PosterForm, ProductForm, kept
from tests.sample_site.models import Product

spender = permission_required("ideogram_django.generate_generatedimage", raise_exception=True)


@spender
def pictures(request: HttpRequest) -> JsonResponse:
    """GET lists one's own, POST has one made."""
    mine = GeneratedImage.objects.visible_to(request.user).requested_by(request.user)
    if request.method == "POST":
        made = GeneratedImage.objects.generate(
            request.POST["prompt"],
            requested_by=request.user,
            request_id=UUID(request.headers["Idempotency-Key"]),
        )
        return JsonResponse(made.as_dict(), status=201)
    return JsonResponse({"pictures": [image.as_dict() for image in mine]})


@spender
def act(request: HttpRequest, key: UUID, verb: str) -> JsonResponse:
    image = get_object_or_404(GeneratedImage.objects.requested_by(request.user), uuid=key)
    made: list[GeneratedImage] = []
    try:
        if verb == "start":
            image.generate(requested_by=request.user)
        elif verb == "retry":
            image.retry(confirm_charge="sure" in request.POST, requested_by=request.user)
        elif verb == "cancel":
            image.cancel()
        elif verb == "refresh":
            image.refresh()
        elif verb == "variations":
            made = image.variations(2)
        elif verb == "better":
            made = [image.rerender(model="ideogram-v4-quality")]
    except ValidationError as error:
        return JsonResponse({"errors": error.messages}, status=400)
    return JsonResponse({"made": [str(one.uuid) for one in made]})


def poster(request: HttpRequest) -> HttpResponse:
    form = PosterForm(request.POST or None, request.FILES or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        image = kept(form.cleaned_data["poster"])
        return HttpResponse(shown(image))
    return render(request, "admin/change_form.html", {"form": form})


def new_product(request: HttpRequest) -> HttpResponse:
    form = ProductForm(request.POST or None, request.FILES or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        return HttpResponse(str(form.save().pk))
    return HttpResponse(form.as_p(), status=400)


def shown(image: GeneratedImage | None) -> SafeString:
    try:
        return generated_image(image, sizes="50vw", figure=True)
    except ArgumentError as error:  # a keyword that came from a configuration
        return SafeString(f"<!-- {error} -->")


def shelf(request: HttpRequest) -> HttpResponse:
    """All products, each with its photo."""
    products = with_pictures(Product.objects.order_by("name"), "photo")
    return HttpResponse("".join(f"{product} {shown(product.photo)}" for product in products))


def card(image: GeneratedImage) -> dict[str, str]:
    """For a page's head, and its fixed picture."""
    return {
        "og:image": generated_image_url(image, 600),
        "banner": generated_image_for("banner", profile="season", places=Places()),
        "thumb": image.thumbnail_url if image.has_file else "",
        "why": "" if image.is_in_progress or not image.is_finished else image.error_message,
        "url": image.url,
        "asked": ", ".join(f"{name}={value}" for name, value in image.parameters.items()),
    }


async def quick(prompts: list[str]) -> list[GeneratedImage]:
    """From async code."""
    first = await GeneratedImage.objects.agenerate("A first look")
    draft = await GeneratedImage.objects.acreate(prompt="Later", model="ideogram-v4-turbo")
    await draft.agenerate()
    await first.arefresh()
    many = await GeneratedImage.objects.agenerate_many([{"prompt": one} for one in prompts])
    return [first, draft, *many]


async def second_thoughts(image: GeneratedImage, file: File[bytes]) -> list[GeneratedImage]:
    if image.status == GeneratedImage.Status.PENDING:
        await image.acancel()
        await image.aretry()
    await image.await_finished(timeout=5)
    own = await GeneratedImage.objects.afrom_upload(file)
    better = await image.arerender(model="ideogram-v4-quality")
    return [own, better, *await image.avariations(1)]
