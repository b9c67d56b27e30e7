from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideogram_django.apiframe import signatures
from ideogram_django.exceptions import InvalidSignatureError

KEY = "afk_" + "0" * 40
OTHER_KEY = "afk_" + "1" * 40
BODY = b'{"jobId":"abc","status":"COMPLETED"}'
# Vectors of the Apiframe API reference, Webhooks.
RAW_DIGEST = "58e6d7af820911d918b1b43ade255ec260002ca8b24ba46dd057a99d192c89f4"
HEX_TEXT = "2cb660473e59908c969f761f7444eda6c9067d13d2d83a0057fb8fb5197c60af"


def test_derivations_give_the_documented_vectors():
    assert signatures.sign_raw_digest(BODY, KEY) == f"sha256={RAW_DIGEST}"
    assert signatures.sign_hex_text(BODY, KEY) == f"sha256={HEX_TEXT}"


@pytest.mark.parametrize(
    ("header", "derivation"),
    [
        (f"sha256={RAW_DIGEST}", "raw_digest"),
        (f"sha256={HEX_TEXT}", "hex_text"),
        (HEX_TEXT, "hex_text"),
        (HEX_TEXT.upper(), "hex_text"),
        (f"SHA256={RAW_DIGEST.upper()}", "raw_digest"),
        (f"  sha256={RAW_DIGEST} ", "raw_digest"),
    ],
)
def test_verify_tells_which_derivation_matched(header, derivation):
    assert signatures.verify(BODY, header, [KEY]) == derivation


@pytest.mark.parametrize("keys", [[KEY, OTHER_KEY], [OTHER_KEY, KEY], ["", OTHER_KEY, KEY]])
def test_verify_accepts_every_key_of_a_rotation(keys):
    assert signatures.verify(BODY, f"sha256={HEX_TEXT}", keys) == "hex_text"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256=sha256=" + HEX_TEXT,
        HEX_TEXT[:-1],
        HEX_TEXT + "0",
        "md5=" + HEX_TEXT,
        "ü" * 64,
        "٠" * 64,  # Arabic-Indic digits are digits to str.isdigit
        "0" * 64,
        "sha256=" + HEX_TEXT.replace("2", "3", 1),
    ],
)
def test_verify_refuses_other_headers(header):
    with pytest.raises(InvalidSignatureError):
        signatures.verify(BODY, header, [KEY])


def test_verify_refuses_another_body_and_another_key():
    with pytest.raises(InvalidSignatureError):
        signatures.verify(BODY + b" ", HEX_TEXT, [KEY])
    with pytest.raises(InvalidSignatureError):
        signatures.verify(BODY, HEX_TEXT, [OTHER_KEY])


def test_an_empty_key_signs_for_nobody():
    for sign in (signatures.sign_raw_digest, signatures.sign_hex_text):
        with pytest.raises(InvalidSignatureError):
            signatures.verify(BODY, sign(BODY, ""), ["", KEY])
    with pytest.raises(InvalidSignatureError):
        signatures.verify(BODY, HEX_TEXT, [])


@given(body=st.binary(), header=st.none() | st.text())
def test_verify_raises_nothing_else(body, header):
    with pytest.raises(InvalidSignatureError):
        signatures.verify(body, header, [KEY])


@given(body=st.binary(), key=st.text(st.characters(codec="ascii"), min_size=1))
def test_what_is_signed_verifies(body, key):
    assert signatures.verify(body, signatures.sign_raw_digest(body, key), [key]) == "raw_digest"
    assert signatures.verify(body, signatures.sign_hex_text(body, key), [key]) == "hex_text"


def test_fingerprint_tells_keys_apart_and_gives_nothing_of_the_secret_away():
    fingerprint = signatures.key_fingerprint(KEY)
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    assert fingerprint != signatures.key_fingerprint(OTHER_KEY)
    assert fingerprint == signatures.key_fingerprint(KEY)
    assert fingerprint not in hashlib.sha256(KEY.encode()).hexdigest()
