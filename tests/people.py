"""Who visits the pages of a test's site, and what they read there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

VIEW, CHANGE, ADDING, DELETE, SPEND = (
    "view_generatedimage",
    "change_generatedimage",
    "add_generatedimage",
    "delete_generatedimage",
    "generate_generatedimage",
)


def person(name: str, *codenames: str, **columns: Any) -> User:
    """Somebody with these permissions, and no others."""
    user = User.objects.create_user(name, password="secret", **columns)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(codenames)
    return User.objects.get(pk=user.pk)  # which remembers no permissions from before


def staff(*codenames: str) -> User:
    """As :func:`person`; somebody who may enter the admin."""
    return person(f"user{User.objects.count()}", *codenames, is_staff=True)


def client_of(user: User | None) -> Client:
    """A browser in which this person has logged in; None: nobody has."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def text(response: Any) -> str:
    """The page's source; one blank for each run of them."""
    return " ".join(response.content.decode().split())


@pytest.fixture
def browser(editor: User) -> Client:
    """A browser in which the ``editor`` of the test's file has logged in."""
    return client_of(editor)
