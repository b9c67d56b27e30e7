"""``manage.py demo_data``: articles to read, people to log in as, and the first pictures."""

import tomllib
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from articles.models import Article
from ideogram_django import staleness
from ideogram_django.models import GeneratedImage, Place, PromptProfile, SpendingLimit

SAMPLES = Path(__file__).resolve().parents[2] / "samples.toml"
DAILY_LIMIT = 5
"""What the editors may spend together in a day."""
MONTHLY_LIMIT = 20
"""What everybody together may spend in a month."""


class Command(BaseCommand):
    help = "Fill the magazine. May be run again: what is there already is left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--pictures",
            type=int,
            default=0,
            help="Have pictures made for the newest articles that have none, and one for the home "
            "page. Costs credits.",
        )

    @transaction.atomic
    def handle(self, *args: Any, pictures: int, **options: Any) -> None:
        admin, _ = people()
        articles = [article(number, sample) for number, sample in enumerate(samples())]
        invitation, _ = Place.objects.get_or_create(
            key="home-invitation", defaults={"name": "Invitation on the home page"}
        )
        season()
        if pictures:
            furnish(invitation, admin)
        for one in articles[:pictures]:
            illustrate(one, admin)
        self.stdout.write(f"{len(articles)} articles; log in as admin / admin or editor / editor.")


def samples() -> list[dict[str, str]]:
    articles: list[dict[str, str]] = tomllib.loads(SAMPLES.read_text())["articles"]
    return articles


def article(number: int, sample: dict[str, str]) -> Article:
    published_at = timezone.now() - timedelta(days=2 * number, minutes=5)
    defaults = {**sample, "body": sample["body"].strip(), "published_at": published_at}
    return Article.objects.get_or_create(slug=sample["slug"], defaults=defaults)[0]


def people() -> tuple[User, User]:
    """An administrator, and an editor who may write, make pictures and spend a little."""
    editors, _ = Group.objects.get_or_create(name="Editors")
    may = Q(content_type__app_label="articles") | Q(
        content_type__app_label="ideogram_django",
        content_type__model__in=["generatedimage", "place", "promptprofile", "run"],
    )
    editors.permissions.set(Permission.objects.filter(may))
    SpendingLimit.objects.get_or_create(
        group=editors, period="day", defaults={"amount": DAILY_LIMIT}
    )
    SpendingLimit.objects.get_or_create(
        group=None, user=None, period="month", defaults={"amount": MONTHLY_LIMIT}
    )
    admin = person("admin", is_staff=True, is_superuser=True)
    editor = person("editor", is_staff=True)
    editor.groups.add(editors)
    return admin, editor


def person(name: str, **rights: bool) -> User:
    user, created = User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@example.com", **rights}
    )
    if created:
        user.set_password(name)
        user.save()
    return user


def season() -> None:
    """The look of this season, as the magazine's art director wrote it down."""
    profile, made = PromptProfile.objects.get_or_create(
        name="season", defaults={"description": "Everything printed this winter."}
    )
    if made:
        profile.revise(
            template="{title}",
            prefix="Risograph print.",
            suffix="Two colours on off-white paper, coarse grain, no border.",
            aspect_ratio="16:9",
        )


def illustrate(article: Article, user: User) -> None:
    """Order a hero by the one way there is; the request's id makes a repeat harmless."""
    if article.hero is None:
        article.hero = GeneratedImage.objects.generate(
            f"{article.title}, editorial illustration",
            aspect_ratio="16:9",
            alt_text=article.title,
            requested_by=user,
            request_id=uuid.uuid5(uuid.NAMESPACE_URL, article.get_absolute_url()),
            # So that the list of articles can say which pictures are out of date.
            **staleness.made_from(article, "hero"),
        )
        article.save()


def furnish(place: Place, user: User) -> None:
    """Order the picture of a fixed place, which belongs to no article."""
    if place.image is None:
        place.image = GeneratedImage.objects.generate(
            "A long table under the trees, set for supper",
            aspect_ratio="8:3",
            alt_text="A long table under the trees, set for supper",
            requested_by=user,
            request_id=uuid.uuid5(uuid.NAMESPACE_URL, place.key),
        )
        place.save()
