"""Pictures that know that they are out of date: what makes them so, who says it, what mends it."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from html import unescape
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext, isolate_apps

from ideogram_django import staleness
from ideogram_django.admin import OutOfDate, OutOfDateFilter
from ideogram_django.forms import sources
from ideogram_django.models import Charge, GeneratedImage, PromptProfile, SpendingLimit
from ideogram_django.widgets import stand_in
from tests.magazine.admin import ArticleAdmin
from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article, Author, Page

pytestmark = pytest.mark.django_db

ARTICLES = "/admin/magazine/article/"


def made(count: int = 1) -> list[Article]:
    """Articles with pictures that were made from them."""
    articles = [Article.objects.create(title=f"Low water {number}") for number in range(count)]
    staleness.refresh_all(articles, "hero")
    return list(Article.objects.order_by("pk"))


def fresh(record: Any) -> Any:
    return type(record).objects.get(pk=record.pk)


def retitled(article: Article, title: str = "High water") -> Article:
    Article.objects.filter(pk=article.pk).update(title=title)
    return fresh(article)


def sent(user: User, article: Article | None = None, **changes: Any) -> ArticleForm:
    """The public form as a browser sends it back, with "Make on save" ticked."""
    shown = unescape(str(ArticleForm(instance=article, user=user)["hero"]))
    found = dict(re.findall(r'name="(hero-[a-z_]+)" value="([^"]*)"', shown))
    prompt = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", shown, re.DOTALL)
    data = {
        **found,
        "hero-prompt": prompt[1] if prompt else "",
        "hero-make": "on",
        "title": article.title if article else "Low water",
        **changes,
    }
    return ArticleForm(data, instance=fresh(article) if article else None, user=user)


# --- what makes a picture out of date -----------------------------------------------------------


def test_editing_ten_of_two_hundred_marks_exactly_ten() -> None:
    articles = made(200)
    assert staleness.stale_records(Article.objects.all(), "hero") == []
    edited = articles[5:205:20]
    for article in edited:
        retitled(article, f"High water {article.pk}")

    with CaptureQueriesContext(connection) as asked:
        found = staleness.stale_records(Article.objects.all(), "hero")

    assert found == edited
    assert len(edited) == 10
    assert len(asked) == 1


def test_more_records_are_not_more_queries() -> None:
    counts = []
    for number in (3, 30):
        for _more in range(number):
            author = Author.objects.create(name="A")
            article = Article.objects.create(title=str(uuid.uuid4()), author=author)
            page = Page.objects.create(article=article, text="Low water")
            staleness.refresh(page, "picture")
        author.name = "B"
        author.save()
        with CaptureQueriesContext(connection) as asked:
            found = staleness.stale_records(Page.objects.all(), "picture")
        assert found[-1] == page
        counts.append(len(asked))
    assert counts == [3, 3]  # pages with pictures, articles, authors


def test_what_the_template_does_not_name_does_not_matter() -> None:
    (article,) = made()
    article.body = "Another body"
    article.save()
    assert not staleness.is_stale(fresh(article), "hero")


def test_a_name_over_a_relation_counts_and_is_told() -> None:
    author = Author.objects.create(name="Ada")
    article = Article.objects.create(title="Low water", author=author)
    page = Page.objects.create(article=article, text="Low water")
    staleness.refresh(page, "picture")
    Author.objects.update(name="Grace")
    assert staleness.changes(fresh(page), "picture") == ["Article (author (name))"]


def test_changing_it_back_makes_the_picture_right_again() -> None:
    (article,) = made()
    assert staleness.is_stale(retitled(article), "hero")
    assert not staleness.is_stale(retitled(article, "Low  water 0\n"), "hero")


@pytest.mark.parametrize("template", ["{title}, at night", "{title} by {author.name}", "A harbour"])
def test_another_template_makes_no_picture_out_of_date(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    (article,) = made()
    field = Article._meta.get_field("hero")
    monkeypatch.setattr(field, "request_defaults", MappingProxyType({"prompt_template": template}))
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_another_version_of_a_profile_makes_no_picture_out_of_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = PromptProfile.objects.create(name="season")
    profile.revise(prefix="Risograph print.", template="{title}")
    field = Article._meta.get_field("hero")
    monkeypatch.setattr(field, "request_defaults", MappingProxyType({"profile": "season"}))
    (article,) = made()
    assert article.hero.prompt == "Risograph print. Low water 0"
    profile.revise(prefix="Linocut.", template="{title}, {body}")
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_a_column_that_is_gone_makes_no_picture_out_of_date() -> None:
    (article,) = made()
    GeneratedImage.objects.update(source_digests={"headline": "0" * 16})
    assert not staleness.is_stale(retitled(article), "hero")
    assert staleness.stale_records(Article.objects.all(), "hero") == []


def test_a_picture_of_another_record_is_never_out_of_date() -> None:
    (article,) = made()
    other = Article.objects.create(title="Something else", hero=article.hero)
    assert not staleness.is_stale(other, "hero")
    assert staleness.stale_records(Article.objects.all(), "hero") == []
    assert staleness.stale_records(Article.objects.filter(pk=retitled(article).pk), "hero") == [
        article
    ]


def test_a_picture_that_remembers_nothing_is_never_out_of_date() -> None:
    image = GeneratedImage.objects.generate("A harbour")
    article = Article.objects.create(title="Low water", hero=image)
    assert not staleness.is_stale(retitled(article), "hero")
    assert not staleness.is_stale(Article(title="No picture"), "hero")


def test_only_picture_fields_can_be_asked() -> None:
    for name in ("cover", "author", "nothing"):
        with pytest.raises(LookupError):
            staleness.is_stale(Article(), name)


@isolate_apps("tests.magazine")
def test_values_are_the_same_from_form_code_and_database() -> None:
    class Event(models.Model):  # noqa: DJ008 - never shown
        price = models.DecimalField(max_digits=6, decimal_places=2)
        begins = models.DateTimeField()
        kind = models.CharField(max_length=1, choices=[("a", "Ausstellung")])

        class Meta:
            app_label = "magazine"

    moment = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)
    berlin = moment.astimezone(timezone(timedelta(hours=1)))
    one = Event(price=Decimal("1.5"), begins=moment, kind="a")
    same = Event(price="1.50", begins=berlin, kind="a")
    wanted = ("price", "begins", "kind")
    assert sources.of(one, wanted) == sources.of(same, wanted)
    other = Event(price="1.51", begins=berlin, kind="a")
    assert sources.of(one, wanted) != sources.of(other, wanted)


# --- forms --------------------------------------------------------------------------------------


def test_a_new_records_picture_knows_it(admin_user: User) -> None:
    article = sent(admin_user).save()
    assert not staleness.is_stale(article, "hero")
    assert staleness.is_stale(retitled(article), "hero")
    assert article.hero.target_id == str(article.pk)


def test_a_saved_records_picture_knows_it(admin_user: User) -> None:
    article = sent(admin_user, Article.objects.create(title="Low water")).save()
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_a_title_changed_in_the_same_form_is_not_in_the_picture(admin_user: User) -> None:
    """The text that was offered is what is sent; it was made from the title before."""
    article = Article.objects.create(title="Low water")
    saved = sent(admin_user, article, title="High water").save()
    assert saved.hero.prompt == "Low water, editorial illustration"
    assert staleness.is_stale(fresh(saved), "hero")


@pytest.mark.parametrize("new", [True, False])
def test_a_prompt_written_by_hand_is_made_from_the_record_all_the_same(
    admin_user: User, new: bool
) -> None:
    article = None if new else Article.objects.create(title="Low water")
    changes = {"hero-prompt": "A lighthouse"}
    article = sent(admin_user, article, **changes).save()
    assert article.hero.prompt == "A lighthouse"
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


@pytest.mark.parametrize("new", [True, False])
def test_a_draft_made_beside_the_form_knows_it_once_it_is_used(
    admin_client: Client, admin_user: User, new: bool
) -> None:
    article = None if new else Article.objects.create(title="Low water")
    form = sent(admin_user, article)
    parts = {key.removeprefix("hero-"): value for key, value in form.data.items()}
    parts |= {"name": "hero", "count": "2", "prompt": "Low water, editorial illustration"}
    admin_client.post("/ideogram/make/", parts)
    first, second = GeneratedImage.objects.order_by("pk")
    choice = {"hero-draft": str(second.uuid), "hero-make": "", "hero-prompt": ""}

    article = sent(admin_user, article, **choice).save()

    assert article.hero == second
    assert not staleness.is_stale(fresh(article), "hero")
    Article.objects.update(hero=first)  # the other one, picked later
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_a_picture_chosen_from_the_gallery_stays_what_it_was(admin_user: User) -> None:
    (article,) = made()
    other = Article.objects.create(title="Something else")
    choice = {"hero": str(article.hero.uuid), "hero-make": ""}
    other = sent(admin_user, other, **choice).save()
    assert other.hero == article.hero
    assert not staleness.is_stale(fresh(other), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_the_form_says_why_and_offers_the_new_text(admin_user: User) -> None:
    (article,) = made()
    before = str(ArticleForm(instance=article, user=admin_user)["hero"])
    assert "Out of date" not in before
    shown = unescape(str(ArticleForm(instance=retitled(article), user=admin_user)["hero"]))
    assert "Out of date: “Title” has changed since this picture was made." in shown
    assert '<details class="ideogram-field-make" open>' in shown
    assert "High water, editorial illustration</textarea>" in shown

    again = sent(admin_user, fresh(article)).save()

    assert again.hero.prompt == "High water, editorial illustration"
    assert again.hero.replaces == article.hero
    assert "Out of date" not in str(ArticleForm(instance=fresh(again), user=admin_user)["hero"])


def test_the_picture_before_can_be_put_back(admin_user: User) -> None:
    (article,) = made()
    new = staleness.refresh(retitled(article), "hero", requested_by=admin_user)
    choice = {"hero-draft": str(article.hero.uuid), "hero-make": "", "hero-prompt": ""}
    back = sent(admin_user, fresh(article), **choice).save()
    assert back.hero == article.hero != new
    assert staleness.is_stale(fresh(back), "hero")


# --- making new ones ----------------------------------------------------------------------------


def test_a_new_picture_is_made_from_what_the_record_says_now(admin_user: User) -> None:
    (article,) = made()
    old = article.hero
    article = retitled(article)
    key = uuid.uuid4()

    new = staleness.refresh(article, "hero", requested_by=admin_user, request_id=key)
    same = staleness.refresh(fresh(article), "hero", requested_by=admin_user, request_id=key)

    assert same == new != old
    assert (new.prompt, new.aspect_ratio) == ("High water, editorial illustration", "16:9")
    assert (new.replaces, new.requested_by) == (old, admin_user)
    assert article.hero == new == fresh(article).hero
    assert not staleness.is_stale(article, "hero")
    assert Charge.objects.count() == 2
    old.uploaded, old.status, old.file = True, "completed", "a.png"
    old.save()
    assert stand_in(fresh(article).hero) == old


def test_options_come_before_the_fields_defaults() -> None:
    (article,) = made()
    new = staleness.refresh(article, "hero", aspect_ratio="1:1", model="ideogram-v4-quality")
    assert (new.aspect_ratio, new.model, new.price) == (
        "1:1",
        "ideogram-v4-quality",
        Decimal("0.10"),
    )


def test_many_are_priced_and_made_together_or_not_at_all() -> None:
    articles = made(3)
    assert staleness.price_of(articles, "hero") == (Decimal("0.09"), "USD")
    assert staleness.price_of([], "hero") == (Decimal(0), "")
    SpendingLimit.objects.create(amount=Decimal("0.08"))
    with pytest.raises(ValidationError, match="left"):
        staleness.refresh_all(articles, "hero")
    retitled(articles[1], "")
    with pytest.raises(ValidationError) as refused:
        staleness.refresh_all(Article.objects.all(), "hero")
    assert "“Title”, which is empty" in refused.value.messages[0]
    assert GeneratedImage.objects.count() == 3


def test_the_price_of_many_is_asked_for_as_quickly_as_of_one() -> None:
    ContentType.objects.get_for_models(Page, Article, Author)  # which Django keeps
    counts = []
    for number in (2, 20):
        for _more in range(number):
            article = Article.objects.create(
                title=str(uuid.uuid4()), author=Author.objects.create(name="Ada")
            )
            Page.objects.create(article=article, text="Low water")
        records = list(Page.objects.all())
        with CaptureQueriesContext(connection) as asked:
            staleness.price_of(records, "picture")
        counts.append(len(asked))
    assert counts == [2, 2]  # articles, authors


def test_a_record_that_was_given_another_picture_meanwhile_keeps_it() -> None:
    (article,) = made()
    chosen = GeneratedImage.objects.generate("Chosen")
    Article.objects.update(hero=chosen)
    staleness.refresh(article, "hero")
    assert fresh(article).hero == chosen


def test_code_can_say_what_a_picture_was_made_from() -> None:
    article = Article.objects.create(title="Low water")
    article.hero = GeneratedImage.objects.generate(
        "A lighthouse", **staleness.made_from(article, "hero")
    )
    article.save()
    field: Any = Article._meta.get_field("hero")
    assert not field.is_stale(fresh(article))
    assert field.is_stale(retitled(article))


def test_trying_a_failed_picture_of_a_run_again_remembers_it() -> None:
    from ideogram_django.models import Run

    article = Article.objects.create(title="Low water")
    run = Run.objects.prepare(
        [{"prompt": "A lighthouse", **staleness.made_from(article, "hero")}], name="Heroes"
    )
    run.images.update(status="failed", error_code="provider_busy", uploaded=True)
    again = run.try_failures_again().images.get()
    Article.objects.update(hero=again)
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


def test_what_the_admins_action_makes_knows_it_as_well(admin_client: Client) -> None:
    article = Article.objects.create(title="Low water")
    started = admin_client.post(
        ARTICLES, {"action": "generate_images", "_selected_action": [article.pk]}
    )
    page = admin_client.get(started.url)
    plan = page.context["plan"]
    admin_client.post(started.url, {"which": "all", "fingerprint": plan.fingerprint})
    Article.objects.update(hero=GeneratedImage.objects.get())  # as approving it does
    assert not staleness.is_stale(fresh(article), "hero")
    assert staleness.is_stale(retitled(article), "hero")


# --- the list -----------------------------------------------------------------------------------


class ListAdmin(ArticleAdmin):
    list_display = ["title", OutOfDate("hero")]
    list_filter = [("hero", OutOfDateFilter)]


def listed(user: User, **query: str) -> Any:
    request = RequestFactory().get(ARTICLES, query)
    request.user = user
    return ListAdmin(Article, admin.site).get_changelist_instance(request)


def test_the_list_shows_and_filters_what_is_out_of_date(admin_user: User) -> None:
    articles = made(5)
    Article.objects.create(title="Without")
    retitled(articles[3])
    assert listed(admin_user).result_count == 6
    assert list(listed(admin_user, hero_stale="stale").result_list) == [articles[3]]
    column = OutOfDate("hero")
    assert [column(one) for one in Article.objects.order_by("pk")] == [
        *["Yes"] * 3,
        "Out of date: “Title” has changed since this picture was made.",
        "Yes",
        "",
    ]


def test_the_lists_page_asks_as_often_for_fifty_rows_as_for_five(admin_user: User) -> None:
    counts = []
    for number in (5, 50):
        Article.objects.all().delete()
        made(number)
        listed(admin_user)
        with CaptureQueriesContext(connection) as asked:
            changes = listed(admin_user)
            for record in changes.result_list:
                OutOfDate("hero")(record)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_filtered_list_renders(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArticleAdmin, "list_display", ListAdmin.list_display)
    monkeypatch.setattr(ArticleAdmin, "list_filter", ListAdmin.list_filter)
    articles = made(2)
    retitled(articles[0])
    page = unescape(admin_client.get(f"{ARTICLES}?hero_stale=stale").content.decode())
    assert "Out of date: “Title” has changed since this picture was made." in page
    assert "1 article" in page
    assert '"?"' in page
