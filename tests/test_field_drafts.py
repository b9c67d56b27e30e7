"""Several drafts in a form's picture field: ordered in place or with the form, picked, put back."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import django
import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.template import Context, Template
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from ideogram_django.forms import prompts
from ideogram_django.lifecycle import using
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from ideogram_django.widgets import Terms, sign_current
from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article, Author, Page
from tests.people import person
from tests.pictures import finished
from tests.test_forms import INLINE, WANTED, article_form, rendered

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]
MAKE = "/ideogram/make/"


@pytest.fixture
def editor() -> User:
    return person(
        "editor",
        "generate_generatedimage",
        "view_generatedimage",
        "add_generatedimage",
        "change_generatedimage",
    )


@pytest.fixture
def maker() -> User:
    """May spend, but look at nobody else's pictures."""
    return person("maker", "generate_generatedimage")


def html_of(form: ArticleForm) -> str:
    return str(form["hero"])


def hidden(html: str, part: str) -> str:
    found = re.search(rf'name="hero-{part}" value="([^"]*)"', html)
    assert found, part
    return found[1]


def ordered(client: Client, user: User, article: Article | None = None, **changes: str) -> Any:
    """Post what the script posts for a form that was just opened."""
    html = html_of(ArticleForm(instance=article, user=user))
    data = {
        "name": "hero",
        "prompt": "A red bicycle",
        "shape": "16:9",
        "count": "4",
        "request": hidden(html, "request"),
        "offered": hidden(html, "offered"),
        "terms": hidden(html, "terms"),
        **changes,
    }
    if article is not None and article.hero is not None:
        data.setdefault("current", sign_current(article.hero))
        data.setdefault("draft", str(article.hero.uuid))
    return client.post(MAKE, data)


def radios(html: str | HttpResponse) -> list[tuple[str, bool]]:
    """Value of each radio, and whether it is checked."""
    text = html if isinstance(html, str) else html.content.decode()
    found = re.findall(r'<input type="radio" name="hero-draft" value="([^"]*)"( checked)?>', text)
    return [(value, bool(checked)) for value, checked in found]


def labels(html: str | HttpResponse) -> list[str]:
    text = html if isinstance(html, str) else html.content.decode()
    return re.findall(r'name="hero-draft"[^>]*> ([^<]+)</span>', text)


def problem(response: HttpResponse) -> str:
    found = re.search(r'role="alert">([^<]+)<', response.content.decode())
    return found[1] if found else ""


def drafts(count: int = 4, user: User | None = None, **facts: Any) -> list[GeneratedImage]:
    made = GeneratedImage.objects.generate_many([{"prompt": "A cat"}] * count, requested_by=user)
    rows = GeneratedImage.objects.filter(pk__in=[one.pk for one in made])
    if facts:
        rows.update(**facts)
    return list(rows.order_by("pk"))


def shown(article: Article) -> str:
    """What a public page shows of the article's picture."""
    record = Article.objects.select_related("hero__replaces").get(pk=article.pk)
    template = Template("{% load ideogram %}{% generated_image article.hero %}")
    return template.render(Context({"article": record}))


# --- ordered in place ---------------------------------------------------------------------------


def test_four_drafts_are_made_and_the_first_is_chosen(client: Client, editor: User) -> None:
    client.force_login(editor)

    response = ordered(client, editor)

    made = list(GeneratedImage.objects.order_by("request_number"))
    assert response.status_code == 200
    assert [(one.prompt, one.aspect_ratio, one.status) for one in made] == [
        ("A red bicycle", "16:9", Status.PENDING)
    ] * 4
    assert {one.requested_by for one in made} == {editor}
    assert Charge.objects.count() == 4
    assert radios(response) == [
        (str(made[0].uuid), True),
        *((str(one.uuid), False) for one in made[1:]),
        ("", False),
    ]
    assert labels(response) == ["Draft 1", "Draft 2", "Draft 3", "Draft 4", "None of these"]
    assert 'id="id_hero-drafts"' in response.content.decode()
    assert "Waiting to be sent to the provider." in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_the_current_picture_and_the_one_before_stay_to_be_chosen(
    client: Client, editor: User
) -> None:
    client.force_login(editor)
    article = Article.objects.create(title="Autumn", hero=finished(replaces=finished()))

    response = ordered(client, editor, article, count="1")

    assert labels(response) == ["Draft 1", "Used now", "The picture before"]
    assert [checked for _value, checked in radios(response)] == [True, False, False]


def test_the_same_order_twice_is_paid_for_once(client: Client, editor: User) -> None:
    client.force_login(editor)
    order = {"request": str(uuid.uuid4())}

    first = ordered(client, editor, **order)
    again = ordered(client, editor, **order)
    other = ordered(client, editor, prompt="A blue bicycle", **order)

    assert radios(again) == radios(first)
    assert radios(other)[0] != radios(first)[0]
    assert Charge.objects.count() == 8


def test_the_next_press_orders_others_and_the_first_ones_stay(client: Client, editor: User) -> None:
    client.force_login(editor)
    first = ordered(client, editor, count="2")
    request = re.search(r'data-ideogram-request="([^"]+)"', first.content.decode())
    assert request
    third = radios(first)[1][0]

    second = ordered(client, editor, count="2", request=request[1], draft=third)

    assert Charge.objects.count() == 4
    assert labels(second)[:2] == ["Draft 1", "Draft 2"]
    assert {third, radios(first)[0][0]} <= {value for value, _checked in radios(second)}


def test_an_order_is_for_people_who_may_spend(client: Client, editor: User) -> None:
    reader = person("reader", "view_generatedimage")
    left = person("left", "generate_generatedimage")
    anonymous = ordered(client, editor)
    client.force_login(reader)
    refused = ordered(client, editor)
    client.force_login(left)
    User.objects.filter(pk=left.pk).update(is_active=False)
    gone = ordered(client, editor)

    assert [anonymous.status_code, refused.status_code, gone.status_code] == [403, 403, 403]
    assert "You may not have pictures made" in problem(refused)
    assert client.get(MAKE).status_code == 405
    assert not Charge.objects.exists()


def test_an_order_needs_the_csrf_token(editor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(editor)

    assert ordered(client, editor).status_code == 403
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompt": " "}, "Describe the picture that you want."),
        ({"shape": "17:9"}, "17:9"),
        ({"count": "9"}, "Choose between 1 and 8 pictures."),
        ({"count": "0"}, "Choose between 1 and 8 pictures."),
        ({"count": "many"}, "Choose between 1 and 8 pictures."),
        ({"terms": "forged"}, "This page is out of date. Load it again."),
        ({"request": "x"}, "This page is out of date. Load it again."),
        ({"prompt": "A cat, {title}"}, "braces in it, which are filled in when you save: Title"),
        (
            {"prompt": ", editorial illustration"},
            "The prompt is made from “Title”, which is empty. Fill it in, or change the prompt.",
        ),
    ],
)
def test_what_cannot_be_ordered_is_a_sentence_and_costs_nothing(
    client: Client, editor: User, changes: dict[str, str], sentence: str
) -> None:
    client.force_login(editor)

    response = ordered(client, editor, **changes)

    assert response.status_code == 200
    assert sentence in problem(response)
    assert radios(response) == []
    assert "data-ideogram-request" not in response.content.decode()
    assert not Charge.objects.exists()


def test_a_limit_is_said_before_anything_is_spent(client: Client, editor: User) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    client.force_login(editor)

    response = ordered(client, editor)

    assert "only $0.10 is left" in problem(response)
    assert not Charge.objects.exists()


def test_nothing_is_ordered_at_another_price_than_the_one_shown(
    client: Client, editor: User, settings: Any
) -> None:
    client.force_login(editor)
    terms = hidden(html_of(ArticleForm(user=editor)), "terms")
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "CREDIT_PRICE": "0.02"}

    response = ordered(client, editor, terms=terms)
    form = article_form(editor, **WANTED, **{"hero-terms": terms})

    sentence = "The price has changed: it is $0.06 for each picture now. Nothing was spent."
    assert problem(response) == sentence
    assert form.errors["hero"] == [sentence]
    assert not Charge.objects.exists()
    again = article_form(editor, **WANTED, **{"hero-terms": hidden(html_of(form), "terms")})
    assert again.is_valid(), again.errors


def test_a_problem_keeps_what_could_be_picked_before(client: Client, editor: User) -> None:
    client.force_login(editor)
    earlier = [value for value, _checked in radios(ordered(client, editor))]

    response = ordered(client, editor, prompt="", draft=earlier[2])

    assert [value for value, _checked in radios(response)] == earlier
    assert [checked for _value, checked in radios(response)].index(True) == 2


def test_nothing_is_ordered_while_spending_is_off(
    client: Client, editor: User, settings: Any
) -> None:
    client.force_login(editor)
    terms = hidden(html_of(ArticleForm(user=editor)), "terms")
    request = {"name": "hero", "prompt": "A cat", "terms": terms, "request": str(uuid.uuid4())}
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}

    assert problem(client.post(MAKE, request)) == "Making pictures is switched off on this site."


def test_terms_are_ours() -> None:
    terms = Terms(price="0.03", currency="USD", options={"model": "ideogram-v4-turbo"})
    assert Terms.read(terms.sign()) == terms
    assert Terms.read(terms.sign()[:-1] + "x") is None
    assert Terms.read("") is None


def test_a_strangers_name_is_escaped(client: Client, editor: User) -> None:
    client.force_login(editor)
    response = ordered(client, editor, name='"><script>alert(1)</script>')
    assert "<script>" not in response.content.decode()


def test_who_may_not_view_all_pictures_gets_a_token_for_these(client: Client, maker: User) -> None:
    client.force_login(maker)
    response = ordered(client, maker, count="2").content.decode()
    token = re.search(r'data-ideogram-token="([^"]+)"', response)
    assert token
    client.logout()
    other = finished()
    ids = ",".join(str(one.uuid) for one in GeneratedImage.objects.all())

    answer = client.get("/ideogram/status/", {"ids": ids, "token": token[1]}).json()

    assert len(answer["images"]) == 2
    assert str(other.uuid) not in str(answer)


# --- picked -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PENDING])
def test_the_chosen_draft_is_the_records_picture_and_counts_as_picked(
    editor: User, status: Status
) -> None:
    first, second, third, _fourth = drafts(user=editor, status=status, file="a.png")
    GeneratedImage.objects.filter(pk=first.pk).update(picked=True)
    form = article_form(editor, **{"hero-draft": str(third.uuid)})

    assert form.is_valid(), form.errors
    article = form.save()

    assert article.hero == third
    picked = GeneratedImage.objects.filter(picked=True)
    assert picked.get() == third
    assert Charge.objects.count() == 4
    assert [
        value
        for value, checked in radios(html_of(ArticleForm(instance=article, user=editor)))
        if checked
    ] == [str(third.uuid)]
    assert second.pk


def test_a_prompt_changed_for_the_drafts_asks_for_nothing_more(editor: User) -> None:
    third = drafts(user=editor)[2]
    changed = {"hero-prompt": "A cat", "hero-offered": "{title}, editorial illustration"}

    form = article_form(editor, **changed, **{"hero-draft": str(third.uuid)})

    assert form.is_valid(), form.errors
    assert form.save().hero == third
    assert Charge.objects.count() == 4


def test_somebody_elses_draft_cannot_be_chosen(maker: User, editor: User) -> None:
    own, other = drafts(1, user=maker)[0], drafts(1, user=editor)[0]

    taken = article_form(maker, **{"hero-draft": str(own.uuid)})
    refused = article_form(maker, **{"hero-draft": str(other.uuid)})

    assert taken.is_valid(), taken.errors
    assert refused.errors["hero"] == ["There is no such picture, or you may not use it."]


@pytest.mark.parametrize("value", ["x", "7", "\0", "0" * 40, str(uuid.uuid4())])
def test_a_draft_that_does_not_exist(editor: User, value: str) -> None:
    form = article_form(editor, **{"hero-draft": value})
    assert form.errors["hero"] == ["There is no such picture, or you may not use it."]


def test_a_draft_that_failed_meanwhile(editor: User) -> None:
    failed = drafts(2, user=editor, status=Status.FAILED, error_code="refused")[0]
    form = article_form(editor, **{"hero-draft": str(failed.uuid)})
    assert form.errors["hero"] == ["This picture was never finished. Choose another one."]
    assert str(failed.uuid) in html_of(form)


def test_the_narrower_choice_holds_for_pictures_that_the_field_did_not_offer(
    editor: User, maker: User
) -> None:
    own, other = drafts(1, user=editor)[0], finished(requested_by=maker)
    forms = [article_form(editor, **{"hero-draft": str(one.uuid)}) for one in (own, other)]
    for form in forms:
        form.fields["hero"].queryset = GeneratedImage.objects.none()

    assert forms[0].is_valid(), forms[0].errors
    assert not forms[1].is_valid()


@pytest.mark.parametrize("way", ["choose", "make"])
def test_a_draft_and_another_way_at_once_are_refused(editor: User, way: str) -> None:
    draft = drafts(1, user=editor)[0]
    other = WANTED if way == "make" else {"hero": str(finished().uuid)}

    form = article_form(editor, **{**other, "hero-draft": str(draft.uuid)})

    assert "only one of these" in form.errors["hero"][0]


def test_a_form_that_comes_back_shows_the_drafts_again(editor: User) -> None:
    made = drafts(user=editor)
    form = article_form(editor, title="", **{"hero-draft": str(made[2].uuid)})

    found = radios(html_of(form))

    assert not form.is_valid()
    assert [value for value, _checked in found] == [*(str(one.uuid) for one in made), ""]
    assert [checked for _value, checked in found] == [False, False, True, False, False]


def test_the_current_picture_in_the_strip_is_no_change(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=drafts(user=editor)[1])
    data = {**rendered(article, editor), "hero-draft": str(article.hero.uuid)}
    newer = finished()

    form = article_form(editor, instance=article, **data)
    assert form.changed_data == []
    Article.objects.update(hero=newer)
    later = article_form(editor, instance=Article.objects.get(), **data)

    assert later.is_valid(), later.errors
    assert later.save().hero == newer


# --- made with the form -------------------------------------------------------------------------


def test_several_made_on_save_and_the_first_is_used(editor: User) -> None:
    form = article_form(editor, **WANTED, **{"hero-count": "3", "hero-request": str(uuid.uuid4())})

    assert form.is_valid(), form.errors
    request = form.cleaned_data["hero"]
    assert (request.count, request.price, request.total) == (3, Decimal("0.03"), Decimal("0.09"))
    assert not Charge.objects.exists()
    article = form.save()

    first, second, third = GeneratedImage.objects.order_by("request_number")
    assert article.hero == first
    assert GeneratedImage.objects.get(picked=True) == first
    html = html_of(ArticleForm(instance=Article.objects.get(), user=editor))
    assert labels(html) == ["Used now", "Draft 2", "Draft 3"]
    assert radios(html) == [
        (str(first.uuid), True),
        (str(second.uuid), False),
        (str(third.uuid), False),
    ]


def test_the_same_form_twice_makes_them_once(editor: User) -> None:
    data = {**WANTED, "hero-count": "3", "hero-request": str(uuid.uuid4())}
    first = article_form(editor, **data)
    assert first.is_valid()
    first.save()
    second = article_form(editor, instance=Article.objects.get(), **data)
    assert second.is_valid(), second.errors
    second.save()

    assert Charge.objects.count() == 3


def test_the_limit_counts_all_of_them(editor: User) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.10"))

    four = article_form(editor, **WANTED, **{"hero-count": "4"})
    three = article_form(editor, **WANTED, **{"hero-count": "3"})

    assert "only $0.10 is left" in four.errors["hero"][0]
    assert three.is_valid(), three.errors


def test_another_record_of_the_same_run_is_no_draft_of_this_one(
    client: Client, admin_user: User
) -> None:
    """A run over many records is one request; every record has words of its own."""
    pictures = GeneratedImage.objects.generate_many(
        [{"prompt": "A cat"}, {"prompt": "A dog"}], requested_by=admin_user
    )
    article = Article.objects.create(title="Autumn", hero=pictures[0])
    for picture in pictures:
        article.pages.create(text="A page", picture=picture)
    client.force_login(admin_user)

    page = client.get(f"/admin/magazine/article/{article.pk}/change/").content.decode()

    assert "picture-current" in page
    assert 'type="radio"' not in page


# --- the picture before -------------------------------------------------------------------------


def test_a_later_choice_keeps_showing_what_pages_show_now(editor: User) -> None:
    old = finished(file="old.png")
    article = Article.objects.create(title="Autumn", hero=old)
    form = article_form(
        editor, instance=article, **rendered(article, editor), **WANTED, **{"hero-count": "3"}
    )
    assert form.is_valid(), form.errors
    first = form.save().hero
    assert first is not None
    assert "old.png" in shown(article)

    third = GeneratedImage.objects.get(batch=first.batch, request_number=2)
    article = Article.objects.get()
    data = {**rendered(article, editor), "hero-draft": str(third.uuid)}
    form = article_form(editor, instance=article, **data)
    assert form.is_valid(), form.errors
    form.save()

    third.refresh_from_db()
    assert third.replaces == old
    assert "old.png" in shown(article)
    GeneratedImage.objects.filter(pk=third.pk).update(status="failed", error_code="refused")
    assert "old.png" in shown(article)
    GeneratedImage.objects.filter(pk=third.pk).update(status="completed", file="new.png")
    assert "new.png" in shown(article)


def test_many_failures_do_not_lead_away_from_the_old_picture(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished(file="old.png"))
    for number in range(8):
        form = article_form(
            editor,
            instance=Article.objects.get(),
            **{**WANTED, "hero-prompt": f"Try {number}", "hero-request": str(uuid.uuid4())},
        )
        assert form.is_valid(), form.errors
        form.save()
        GeneratedImage.objects.filter(status="pending").update(status="failed")

    assert "old.png" in shown(article)


def test_the_picture_before_can_be_brought_back_and_the_other_again(editor: User) -> None:
    old, new = finished(file="old.png"), finished(file="new.png", prompt="New")
    article = Article.objects.create(title="Autumn", hero=old)

    def save(choice: dict[str, str]) -> list[str]:
        record = Article.objects.get()
        form = article_form(editor, instance=record, **{**rendered(record, editor), **choice})
        assert form.is_valid(), form.errors
        form.save()
        return labels(html_of(ArticleForm(instance=Article.objects.get(), user=editor)))

    assert save({"hero": str(new.uuid)}) == ["Used now", "The picture before"]
    assert save({"hero-draft": str(old.uuid)}) == ["Used now", "Newer, not used"]
    assert "old.png" in shown(article)
    assert save({"hero-draft": str(new.uuid)}) == ["Used now", "The picture before"]
    assert "new.png" in shown(article)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.replaces, new.replaces) == (None, old)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["used here only", "used elsewhere"])
def test_a_draft_that_gives_way_to_the_picture_before_is_no_longer_picked(
    editor: User, elsewhere: bool
) -> None:
    old = finished(file="old.png")
    article = Article.objects.create(title="Autumn", hero=old)
    draft = drafts(user=editor, status=Status.COMPLETED, file="a.png")[1]

    def save(choice: GeneratedImage) -> bool:
        record = Article.objects.get(pk=article.pk)
        data = {**rendered(record, editor), "hero-draft": str(choice.uuid)}
        form = article_form(editor, instance=record, **data)
        assert form.is_valid(), form.errors
        form.save()
        draft.refresh_from_db()
        return draft.picked

    assert save(draft)
    if elsewhere:
        Article.objects.create(title="Winter", hero=draft)
    assert save(old) is elsewhere
    assert Article.objects.get(pk=article.pk).hero == old


def test_what_a_picture_replaced_elsewhere_is_not_forgotten(editor: User) -> None:
    shared = finished(prompt="Shared")
    Article.objects.create(title="Spring", hero=shared)
    article = Article.objects.create(title="Autumn", hero=finished())

    form = article_form(editor, instance=article, hero=str(shared.uuid))
    assert form.is_valid(), form.errors
    form.save()

    shared.refresh_from_db()
    assert shared.replaces is None


def test_an_unfinished_picture_never_comes_to_replace_itself(editor: User) -> None:
    waiting = drafts(1, user=editor)[0]
    newer = finished(replaces=waiting)
    article = Article.objects.create(title="Autumn", hero=newer)

    form = article_form(editor, instance=article, hero=str(waiting.uuid))
    assert form.is_valid(), form.errors
    form.save()

    waiting.refresh_from_db()
    assert waiting.replaces is None


def test_the_picture_before_is_offered_to_those_who_may_look_at_it(
    editor: User, maker: User
) -> None:
    hidden_one = finished()
    current = finished(requested_by=maker, replaces=hidden_one)
    article = Article.objects.create(title="Autumn", hero=current)

    assert labels(html_of(ArticleForm(instance=article, user=editor))) != []
    assert labels(html_of(ArticleForm(instance=article, user=maker))) == []
    data = {**rendered(article, maker), "hero-draft": str(hidden_one.uuid)}
    guessed = article_form(maker, instance=article, **data)
    assert guessed.errors["hero"] == ["There is no such picture, or you may not use it."]
    assert labels(html_of(ArticleForm(instance=article))) == []


# --- empty gaps ---------------------------------------------------------------------------------

OFFERED = "{title}, editorial illustration"


def test_an_empty_gap_is_not_paid_for(
    admin_user: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(admin_user)
    monkeypatch.setattr(Page._meta.get_field("text"), "blank", True)
    template = "{text}, by {article.author.name}"

    response = client.post(
        "/admin/magazine/article/add/",
        {
            "title": "Autumn",
            **INLINE,
            "pages-0-text": "",
            "pages-0-picture-make": "on",
            "pages-0-picture-prompt": template,
            "pages-0-picture-offered": template,
        },
    )

    sentence = "made from “Text” and “Article (author (name))”, which are empty"
    assert sentence in response.content.decode()
    assert not Charge.objects.exists()
    assert not Article.objects.exists()


def test_fields_that_are_checked_after_the_picture_count_too(editor: User) -> None:
    """The order of a form's fields is the developer's."""
    wanted = {"hero-make": "on", "hero-prompt": OFFERED, "hero-offered": OFFERED}
    form, empty = article_form(editor, **wanted), article_form(editor, title="", **wanted)
    empty.fields["title"].required = False
    for one in (form, empty):
        one.order_fields(["hero", "title", "body"])

    assert form.is_valid(), form.errors
    assert form.cleaned_data["hero"].prompt == "Autumn, editorial illustration"
    assert "“Title”, which is empty" in empty.errors["hero"][0]


def test_a_prompt_that_somebody_changed_may_have_gaps(editor: User) -> None:
    article = Article(title="")
    form = article_form(
        editor,
        instance=article,
        **{"hero-make": "on", "hero-prompt": "A cat {title}", "hero-offered": OFFERED},
    )
    form.fields["title"].required = False

    assert form["title"].data == "Autumn"
    assert form.is_valid(), form.errors
    assert form.cleaned_data["hero"].prompt == "A cat Autumn"


def test_a_saved_record_names_its_empty_fields_before_anything_is_paid(editor: User) -> None:
    author = Author.objects.create(name="")
    article = Article.objects.create(title="", author=author)
    offered = ", editorial illustration"
    html = html_of(ArticleForm(instance=article, user=editor))
    assert "missing in the prompt: Title." in html
    wanted = {"hero-make": "on", "hero-prompt": offered, "hero-offered": offered}

    kept_empty = article_form(editor, instance=article, title="", **wanted)
    kept_empty.fields["title"].required = False
    filled = article_form(editor, instance=Article.objects.get(), title="Winter", **wanted)

    assert "made from “Title”, which is empty" in kept_empty.errors["hero"][0]
    assert filled.is_valid(), filled.errors
    assert filled.cleaned_data["hero"].prompt == "Winter, editorial illustration"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Autumn, by Ada", []),
        (", by Ada", ["title"]),
        (", by ", ["title", "author.name"]),
        ("Something else", []),
        ("a (b) {title}, by Ada", []),
    ],
)
def test_a_text_tells_which_gaps_were_empty(text: str, names: list[str]) -> None:
    assert prompts.guessed_empty("{title}, by {author.name}", text) == names
    assert prompts.guessed_empty("No gap", text) == []


# --- pages --------------------------------------------------------------------------------------


def test_a_file_whose_form_is_not_multipart_is_missed(editor: User) -> None:
    """The browser then sends the file's name and leaves the file out."""
    form = article_form(editor, **{"hero-upload": "beach.png"})

    assert 'enctype="multipart/form-data"' in form.errors["hero"][0].replace("&quot;", '"')


def test_public_form_with_drafts(client: Client, editor: User) -> None:
    client.force_login(editor)
    made = radios(ordered(client, editor))

    response = client.post("/articles/new/", {"title": "Autumn", "hero-draft": made[2][0]})

    article = Article.objects.get()
    assert response.status_code == 302
    assert str(article.hero.uuid) == made[2][0]
    assert Charge.objects.count() == 4


def test_save_as_new_takes_another_draft_with_it(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    first, second = drafts(2, user=admin_user)
    article = Article.objects.create(title="Autumn", hero=first)
    data = {
        **rendered(article, admin_user),
        **INLINE,
        "pages-TOTAL_FORMS": "0",
        "title": "Copy",
        "_saveasnew": "1",
        "hero-draft": str(second.uuid),
    }

    assert client.post(f"/admin/magazine/article/{article.pk}/change/", data).status_code == 302
    assert Article.objects.get(title="Copy").hero == second
    assert Article.objects.get(title="Autumn").hero == first


def test_popup_and_wrapper_keep_the_field_whole(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    page = client.get("/admin/magazine/author/add/?_popup=1").content.decode()
    assert 'name="portrait-prompt"' in page
    assert "related-widget-wrapper" not in page

    response = client.post(
        "/admin/magazine/author/add/",
        {
            "name": "Ada",
            "_popup": "1",
            "portrait-make": "on",
            "portrait-prompt": "Portrait of {name}",
            "portrait-offered": "Portrait of {name}",
            "portrait-count": "2",
        },
    )

    assert response.status_code == 200
    assert Author.objects.get().portrait.prompt == "Portrait of Ada"
    assert Charge.objects.count() == 2


# --- queries ------------------------------------------------------------------------------------


def test_a_change_page_asks_the_same_for_one_draft_and_for_eight(
    client: Client, admin_user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(admin_user)
    for count in (2, 8):
        hero = drafts(count, user=admin_user, replaces=finished())[0]
        article = Article.objects.create(title=f"{count} drafts", hero=hero)
        client.get(f"/admin/magazine/article/{article.pk}/change/")  # fills the caches
        # session, user, record; authors; picture, those around it, why they wait; rows; the limits
        # for the hero, and once for all rows
        with django_assert_num_queries(10):
            page = client.get(f"/admin/magazine/article/{article.pk}/change/")
        assert len(radios(page)) == count + 1


def test_ten_rows_of_an_inline_ask_as_often_as_one(
    client: Client, admin_user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(admin_user)
    for count in (1, 10):
        article = Article.objects.create(title=f"{count} pages")
        for number in range(count):
            picture = drafts(2, user=admin_user, status="completed", file="a.png")[0]
            Page.objects.create(article=article, text=str(number), picture=picture)
        client.get(f"/admin/magazine/article/{article.pk}/change/")
        # session, user, record; rows, their articles, their pictures; authors; those around them;
        # the limits for the hero, and once for all rows
        with django_assert_num_queries(10):
            page = client.get(f"/admin/magazine/article/{article.pk}/change/").content.decode()
        assert len(re.findall(r'name="pages-\d-picture-draft"', page)) == 2 * count


def test_list_editable_asks_as_often_for_ten_records_as_for_one(
    client: Client,
    admin_user: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    host = admin.site.get_model_admin(Article)
    monkeypatch.setattr(host, "list_display", ["title", "hero"])
    monkeypatch.setattr(host, "list_editable", ["hero"])
    client.force_login(admin_user)
    Article.objects.create(title="First", hero=finished())
    client.get("/admin/magazine/article/")
    # session, user; one count, two before Django 6.1; records, their pictures, those around them;
    # the limits
    queries = 8 if django.VERSION < (6, 1) else 7
    with django_assert_num_queries(queries):
        client.get("/admin/magazine/article/")
    for number in range(9):
        Article.objects.create(title=f"More {number}", hero=finished())
    with django_assert_num_queries(queries):
        client.get("/admin/magazine/article/")


def test_a_full_page_of_list_editable_can_be_sent(
    client: Client, admin_user: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    host = admin.site.get_model_admin(Article)
    monkeypatch.setattr(host, "list_display", ["title", "hero"])
    monkeypatch.setattr(host, "list_editable", ["hero"])
    client.force_login(admin_user)
    for number in range(100):
        Article.objects.create(title=f"Article {number}", hero=finished())

    page = client.get("/admin/magazine/article/").content.decode()

    sent = re.findall(r'<(?:input type="(?:hidden|text)"|select|textarea)[^>]* name="form-', page)
    assert len(sent) < settings.DATA_UPLOAD_MAX_NUMBER_FIELDS


def test_records_of_one_run_with_the_same_words_do_not_compete(
    client: Client, admin_user: User
) -> None:
    """Two records whose prompts come out alike: each has its own picture and its own choice."""
    target = ContentType.objects.get_for_model(Article)
    pictures = GeneratedImage.objects.generate_many(
        [{"prompt": "A cat", "target_type": target, "target_id": str(n)} for n in range(2)],
        requested_by=admin_user,
    )
    GeneratedImage.objects.filter(pk=pictures[0].pk).update(picked=True)
    article = Article.objects.create(title="Autumn")
    first = article.pages.create(text="A page", picture=pictures[0])
    client.force_login(admin_user)
    page = client.get(f"/admin/magazine/article/{article.pk}/change/").content.decode()
    assert "picture-current" in page
    assert 'type="radio"' not in page

    using.pick(pictures[1])

    first.picture.refresh_from_db()
    assert first.picture.picked


def test_drafts_whose_answer_was_lost_are_the_ones_that_the_form_then_asks_for(
    client: Client, editor: User
) -> None:
    """The page filled the gaps for the drafts at once, the record does for those on save."""
    client.force_login(editor)
    template = "{title}, editorial illustration"
    request = str(uuid.uuid4())
    ordered(client, editor, prompt="Autumn, editorial illustration", count="2", request=request)
    first = GeneratedImage.objects.get(request_number=0, uploaded=False)
    assert Charge.objects.count() == 2

    form = article_form(
        editor,
        **{
            "title": "Autumn",
            "hero-make": "on",
            "hero-prompt": template,
            "hero-offered": template,
            "hero-shape": "16:9",
            "hero-count": "2",
            "hero-request": request,
        },
    )
    assert form.is_valid(), form.errors
    assert form.save().hero == first
    assert Charge.objects.count() == 2


def test_a_picture_that_was_ordered_before_saving_keeps_the_old_one_public(editor: User) -> None:
    old = finished(file="old.png")
    wanted = {**WANTED, "hero-request": str(uuid.uuid4())}
    lost = article_form(editor, title="Winter", **wanted)
    assert lost.is_valid(), lost.errors
    made = lost.cleaned_data["hero"].generate()

    article = Article.objects.create(title="Autumn", hero=old)
    kept = {"hero": str(old.uuid), "hero-current": sign_current(old)}
    form = article_form(editor, instance=article, **wanted, **kept)
    assert form.is_valid(), form.errors
    form.save()

    assert article.hero == made
    assert "old.png" in shown(article)
    assert Charge.objects.count() == 1
