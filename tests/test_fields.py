"""The model field: a plain foreign key to migrations, a buyer only in ``save()``."""

from __future__ import annotations

import pickle
import uuid
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django import forms as django_forms
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps
from pytest_django import DjangoAssertNumQueries

from ideogram_django import fields, forms
from ideogram_django.forms import GenerationRequest, prompts
from ideogram_django.models import Charge, GeneratedImage
from tests.magazine.models import Article, Author, Page
from tests.pictures import finished

HERO = Article._meta.get_field("hero")


def wanted(prompt: str = "A cat", **columns: Any) -> GenerationRequest:
    return GenerationRequest(
        prompt=prompt, price=Decimal("0.03"), currency="USD", request_id=uuid.uuid4(), **columns
    )


# --- migrations ---------------------------------------------------------------------------------


def test_migration_holds_a_plain_foreign_key() -> None:
    text, imports = MigrationWriter.serialize(HERO)

    assert text == (
        "models.ForeignKey(blank=True, null=True, "
        "on_delete=django.db.models.deletion.PROTECT, related_name='+', "
        "to='ideogram_django.generatedimage')"
    )
    assert imports == {"from django.db import models", "import django.db.models.deletion"}


@pytest.mark.django_db
def test_the_autodetector_finds_nothing_to_do() -> None:
    out = StringIO()
    call_command("makemigrations", "magazine", "--check", "--dry-run", stdout=out)
    assert out.getvalue() == "No changes detected in app 'magazine'\n"


@isolate_apps("tests.magazine", "ideogram_django")
def test_other_defaults_are_no_change() -> None:
    def state(**defaults: Any) -> ProjectState:
        class Post(models.Model):  # noqa: DJ008
            hero = fields.GeneratedImageField(**defaults)

            class Meta:
                app_label = "magazine"

        project = ProjectState()
        project.add_model(ModelState.from_model(Post, exclude_rels=False))
        return project

    with isolate_apps("tests.magazine"):
        before = state(prompt_template="{id}", model="ideogram-v4-turbo")
    with isolate_apps("tests.magazine"):
        after = state(prompt_template="{hero}", model="ideogram-v4-quality", aspect_ratio="3:4")

    assert MigrationAutodetector(before, after)._detect_changes() == {}


@isolate_apps("tests.magazine", "ideogram_django")
def test_a_keyword_called_model_does_not_meet_djangos() -> None:
    class Post(models.Model):  # noqa: DJ008
        hero = fields.GeneratedImageField(model="ideogram-v4-quality")

        class Meta:
            app_label = "magazine"

    field = Post._meta.get_field("hero")
    assert field.model is Post
    assert field.request_defaults == {"model": "ideogram-v4-quality"}
    assert ProjectState().add_model(ModelState.from_model(Post)) is None


def test_promised_defaults() -> None:
    assert isinstance(HERO, models.ForeignKey)
    assert (HERO.null, HERO.blank, HERO.remote_field.on_delete) == (True, True, models.PROTECT)
    assert HERO.remote_field.related_name == "+"
    assert HERO.related_model is GeneratedImage


@isolate_apps("tests.magazine", "ideogram_django")
def test_checks_find_a_bad_template_and_bad_defaults() -> None:
    class Post(models.Model):  # noqa: DJ008
        title = models.CharField(max_length=10)
        hero = fields.GeneratedImageField(
            prompt_template="{title} {titel} {title.upper} {pk} {__class__}", aspect_ratio="17:9"
        )

        class Meta:
            app_label = "magazine"

    found = [one for one in Post._meta.get_field("hero").check() if "ideogram" in str(one.id)]

    assert [message.id for message in found] == ["ideogram_django.E101"] * 4 + [
        "ideogram_django.E102"
    ]
    assert "“{titel}”, which is no column of magazine.Post" in found[0].msg
    assert "17:9" in found[4].msg


def test_the_magazine_passes_the_checks() -> None:
    assert [model.check() for model in (Article, Author, Page)] == [[], [], []]


# --- prompt templates ---------------------------------------------------------------------------


def test_gaps_follow_foreign_keys() -> None:
    page = Page(text="  two\nlines ", article=Article(title="T", author=Author(name="Ada")))

    assert prompts.fill("{text} / {article.author.name} / {article.author}", page) == (
        "two lines / Ada / Ada"
    )


def test_what_is_not_there_is_empty() -> None:
    assert prompts.fill("{text}|{article.author.name}", Page(text="x")) == "x|"


@pytest.mark.parametrize("gap", ["text.upper", "article.title.x", "save", "pk", "_state", "nope"])
def test_gaps_name_columns_and_nothing_else(gap: str) -> None:
    page = Page(text="x", article=Article(title="T"))

    with pytest.raises(LookupError):
        prompts.fill(f"{{{gap}}}", page)
    assert prompts.unknown(f"{{{gap}}}", Page) == [gap]


# --- form fields --------------------------------------------------------------------------------


def test_formfield_is_ours_with_the_defaults() -> None:
    field = HERO.formfield()

    assert type(field) is forms.GeneratedImageField
    assert field.defaults == {
        "prompt_template": "{title}, editorial illustration",
        "aspect_ratio": "16:9",
    }
    assert not field.required


@pytest.mark.django_db
@pytest.mark.parametrize("widget", [django_forms.Select, django_forms.RadioSelect()])
def test_another_widget_gets_the_usual_field(widget: Any) -> None:
    assert type(HERO.formfield(widget=widget)) is django_forms.ModelChoiceField


@pytest.mark.django_db
def test_raw_id_and_autocomplete_keep_working(admin_user: User, rf: Any) -> None:
    from django.contrib import admin

    from ideogram_django.admin.fields import GeneratedImageFieldMixin

    class RawAdmin(GeneratedImageFieldMixin, admin.ModelAdmin):
        raw_id_fields = ["hero"]

    class AutoAdmin(GeneratedImageFieldMixin, admin.ModelAdmin):
        autocomplete_fields = ["hero"]

    request = rf.get("/")
    request.user = admin_user
    raw = RawAdmin(Article, admin.site).get_form(request).base_fields["hero"]
    auto = AutoAdmin(Article, admin.site).get_form(request).base_fields["hero"]

    assert isinstance(raw.widget, ForeignKeyRawIdWidget)
    assert type(raw) is type(auto) is django_forms.ModelChoiceField


# --- spending -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_save_form_data_spends_nothing_and_keeps_the_old_picture() -> None:
    old = finished()
    article = Article(title="T", hero=old)

    HERO.save_form_data(article, wanted())

    assert article.hero == old
    assert not Charge.objects.exists()


@pytest.mark.django_db
def test_old_picture_is_replaced_and_remembered() -> None:
    old = finished()
    article = Article.objects.create(title="T", hero=old)
    HERO.save_form_data(article, wanted())

    article.save()

    assert article.hero != old
    assert article.hero is not None
    assert article.hero.replaces == old


@pytest.mark.django_db
def test_pre_save_twice_makes_one_picture() -> None:
    article = Article.objects.create(title="T")
    HERO.save_form_data(article, wanted())

    first = HERO.pre_save(article, add=False)
    second = HERO.pre_save(article, add=False)
    article.save()

    assert first == second == article.hero_id
    assert Charge.objects.count() == 1


@pytest.mark.django_db
def test_a_request_is_done_with_after_one_save() -> None:
    article = Article.objects.create(title="T")
    HERO.save_form_data(article, wanted())
    article.save()

    article.hero = None
    article.save()

    assert Article.objects.get().hero is None


@pytest.mark.django_db
def test_request_waits_for_a_save_that_touches_the_field() -> None:
    article = Article.objects.create(title="T")
    HERO.save_form_data(article, wanted())

    article.save(update_fields=["title"])
    assert not Charge.objects.exists()
    article.save()
    assert Charge.objects.count() == 1


@pytest.mark.django_db
def test_a_later_answer_takes_back_the_request() -> None:
    article = Article.objects.create(title="T")
    HERO.save_form_data(article, wanted())
    HERO.save_form_data(article, None)

    article.save()

    assert not Charge.objects.exists()


@pytest.mark.django_db
def test_gaps_left_open_are_filled_on_save() -> None:
    article = Article(title="Rain")
    HERO.save_form_data(article, wanted("{title} {body}", gaps=("title",)))

    article.save()

    assert GeneratedImage.objects.get().prompt == "Rain {body}"


@pytest.mark.django_db
def test_refused_request_stays_and_saves_nothing(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    article = Article(title="T")
    HERO.save_form_data(article, wanted())

    with pytest.raises(ValidationError, match="switched off"), transaction.atomic():
        article.save()
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": True}
    assert not Article.objects.exists()
    article.pk = None
    article.save()

    assert article.hero is not None


@pytest.mark.django_db
def test_unsaved_picture_still_meets_djangos_own_rule() -> None:
    with pytest.raises(ValueError, match="unsaved related object"):
        Article(title="T", hero=GeneratedImage(prompt="x")).save()


@pytest.mark.django_db
def test_picture_saved_after_being_assigned_is_stored() -> None:
    picture = GeneratedImage(prompt="x")
    article = Article(title="T", hero=picture)
    picture.save()
    article.save()
    article.refresh_from_db()
    assert article.hero == picture


@pytest.mark.django_db
def test_required_column_takes_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HERO, "blank", False)
    article = Article(title="T")
    with pytest.raises(ValidationError, match="cannot be blank"):
        article.full_clean()

    HERO.save_form_data(article, wanted())

    article.full_clean()
    assert not Charge.objects.exists()


@pytest.mark.django_db
def test_database_protects_a_picture_in_use() -> None:
    article = Article.objects.create(title="T", hero=finished())
    with pytest.raises(models.ProtectedError):
        article.hero.delete()
    assert GeneratedImage.objects.count() == 1


@pytest.mark.django_db
def test_records_are_fetched_with_what_pages_show(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        new = finished(replaces=finished(), status="draft", file="")
        Article.objects.create(title=str(number), hero=new)

    with django_assert_num_queries(1):
        articles = list(Article.objects.select_related("hero__replaces"))
        assert all(article.hero.replaces.file for article in articles)
    assert connection.vendor
    assert pickle.loads(pickle.dumps(articles[0])).hero == articles[0].hero  # noqa: S301
