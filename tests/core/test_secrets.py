"""Keys and passwords are recognised by name, by form and by what the environment holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.secrets import HIDDEN, find_secret, hide_named, is_secret_name, redact, scrub

SECRET_NAMES = [
    "api_key", "apiKey", "api-key", "APIKEY", "X-Api-Key", "token", "hf_token", "authToken",
    "password", "passwd", "pwd", "Authorization", "Proxy-Authorization", "auth", "client_secret",
    "Ocp-Apim-Subscription-Key", "access_key_id", "private_key", "credentials", "Cookie",
]  # fmt: skip
PLAIN_NAMES = [
    "max_tokens", "max_answer_tokens", "tokenizer", "key", "sort_key", "keyframes", "author",
    "monkey", "public_key", "model", "",
]  # fmt: skip
ADDRESSES = [
    "http://me:hush-hush@h/v1",
    "http://hush-hush@h/v1",
    "https://h/v1?api-key=hush-hush&x=1",
    "https://h/v1?x=1&key=hush-hush",
    "https://h/blob?sv=1&sig=hush-hush",
    "postgresql://me:hush-hush@h/db",
    "postgresql://h/db?password=hush-hush",
    "redis://:hush-hush@h/0",
    "http://me:hu@hush-hush@h/v1",
]
TEXTS = [
    "Bearer hush-hush1",
    "Authorization: Basic aHVzaC1odXNo",
    "{'x-api-key': 'hush-hush'}",
    "Incorrect API key provided: sk-ab1**********hush",
    "hf_hushhushhushhushhush",
    "ghp_hushhushhushhushhush",
    "AKIAHUSHHUSHHUSHHUSH",
    "eyJhdXNoaHVzaA.aHVzaGh1c2g.aHVzaA",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_tells_that_its_value_is_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_names_that_only_sound_like_it_are_plain(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_with_a_secret_is_found_and_redacted(address):
    assert find_secret({"url": [address]}, "gpt") == "gpt.url.0"
    assert "hush" not in redact(f"cannot reach {address}: refused")
    assert redact(redact(address)) == redact(address)


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8000/v1", "https://h/search?q=key&page=2", "postgresql://me@h/db",
        "me@h.org", "see http://h/@me", "gpt.api_key: unknown option",
        "/data/key-frames/2.jpg", "a = b", "<image>",
    ],
)  # fmt: skip
def test_ordinary_text_stays_as_it_is(text):
    assert redact(text) == text
    assert find_secret(text, "option") is None


@pytest.mark.parametrize("text", TEXTS)
def test_keys_are_redacted_by_their_form(text):
    assert not {"hush", "HUSH", "aHVz"} & {redact(text)[-4:], redact(text)[-8:-4]}
    assert "[key]" in redact(text)


def test_what_the_environment_holds_is_redacted_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "wholly-unlike-a-key")
    assert redact("said (wholly-unlike-a-key).") == "said ([key])."


def test_what_the_environment_holds_is_refused_unless_it_may_be_no_key(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "plain-words-alone")
    monkeypatch.setenv("KEY_FOLDER", "/home/me/keys-of-mine")
    monkeypatch.setenv("KEYBOARD", "german")
    assert find_secret({"x": ["a plain-words-alone"]}, "gpt.extra") == "gpt.extra.x.0"
    assert find_secret({"a": "/home/me/keys-of-mine/b", "b": "german"}, "gpt.extra") is None


def test_records_keep_all_but_their_secrets():
    record = {
        "scorers": {"gpt": {"model": "m", "api_key": "k", "max_tokens": 8}},
        "extra": [{"headers": {"X-Api-Key": "k"}}, "http://u:p@h"],
        "image_token": "<image>",
        "token": None,
        "size": 3,
    }
    assert scrub(record) == {
        "scorers": {"gpt": {"model": "m", "api_key": HIDDEN, "max_tokens": 8}},
        "extra": [{"headers": {"X-Api-Key": HIDDEN}}, f"http://{HIDDEN}@h"],
        "image_token": "<image>",
        "token": None,
        "size": 3,
    }


def test_fingerprints_do_not_depend_on_the_environment(monkeypatch):
    value = {"model": "base-model", "password": "p"}
    monkeypatch.setenv("SOME_KEY", "base-model")
    assert hide_named(value) == {"model": "base-model", "password": HIDDEN}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("plain-words-alone", "x plain-words-alone y"),
        ("ab/cd+EF01gh==", "model ab/cd+EF01gh=="),
        ("/aB3+dE/fGh1Jk==", "/aB3+dE/fGh1Jk=="),
        ("s3cret", "s3cret"), ("hush!!", " hush!! "), ("4711-4712", "4711-4712"),
        ("aBcDeFgHi", "aBcDeFgHi"), ("ab/cd1", "ab/cd1"),
    ],
)  # fmt: skip
def test_a_key_of_the_environment_is_refused_in_a_field_of_any_name(monkeypatch, key, text):
    assert find_secret({"model": [text]}, "gpt") is None
    monkeypatch.setenv("MY_API_KEY", key)
    assert find_secret({"model": [text]}, "gpt") == "gpt.model.0"


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("MY_API_KEY", "s3cret", "s3cret-model"), ("MY_API_KEY", "EMPTY", "EMPTY"),
        ("MY_API_KEY", "default", "default"), ("MY_API_KEY", "not-needed", "not-needed"),
        ("TOKENIZER", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("SSH_KEY_PATH", "keys/of/Mine-2024", "keys/of/Mine-2024"),
        ("MY_TOKEN", "/tmp/some/token-123", "/tmp/some/token-123"),
        ("MY_TOKEN", "~/token-123", "~/token-123"),
        ("KEYBOARD", "german-105-keys", "german-105-keys"),
        ("CI_TOKEN_TTL", "864000", "864000"), ("MY_TOKEN", "864000", "864000"),
        ("NONE", "", "/data/key-Frames-LLaVA-Video-178K"),
        ("NONE", "", "runs/pk-Qwen2.5-VL-7B-Instruct-e1"),
    ],
)  # fmt: skip
def test_what_may_be_a_path_or_a_word_is_no_false_alarm(monkeypatch, variable, value, text):
    monkeypatch.setenv(variable, value)
    assert find_secret({"model": text}, "gpt") is None


def test_a_key_in_the_name_of_a_field_is_found_and_not_repeated():
    key = "sk-" + "aB3" * 8
    assert find_secret({"scorers": {key: "length"}}, "") == f".scorers.{HIDDEN}"


def test_a_path_that_is_there_is_no_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_KEY", "models/B-32-v1")
    assert find_secret("models/B-32-v1", "model") == "model"
    (tmp_path / "models" / "B-32-v1").mkdir(parents=True)
    assert find_secret("models/B-32-v1", "model") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=10) | st.sampled_from(SECRET_NAMES), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_scrubbed_values_hold_no_secret(value):
    assert find_secret(scrub(value), "value") is None


@given(st.text())
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)
