"""What is secret in an address stays in the process, and goes to where it belongs."""

import time

import pytest

from ig4.core.files.remote import credentials
from ig4.core.files.remote.credentials import (
    cleaned,
    record_name,
    share_user,
    with_secrets,
    without_secrets,
)


@pytest.mark.parametrize(
    ("secret", "bare"),
    [
        ("https://me:pass@h.example/a.json", "https://h.example/a.json"),
        ("https://h.example/a?x=1&token=abcdef", "https://h.example/a?x=1"),
        ("https://h.example/a?X-Amz-Signature=ff&X-Amz-Date=2", "https://h.example/a?X-Amz-Date=2"),
        ("https://h.example/a?sig=abcd%2F", "https://h.example/a"),
        ("https://h.example/a?api_key=abcdef#part", "https://h.example/a"),
    ],
)
def test_credentials_are_taken_out_and_given_back_to_requests_alone(secret, bare):
    assert cleaned(secret) == bare
    again, user = with_secrets(bare)
    assert sorted(again.partition("?")[2].split("&")) == sorted(
        secret.partition("#")[0].partition("?")[2].split("&")
    )
    assert user == ("me:pass" if "@" in secret else None)


def test_credentials_of_a_folder_count_below_it_and_nowhere_else():
    cleaned("https://t0ken@deep.example/data")
    assert with_secrets("https://deep.example/data/a/b.jpg")[1] == "t0ken"
    assert with_secrets("https://deep.example/database/b.jpg")[1] is None
    assert with_secrets("http://deep.example/data/b.jpg")[1] is None


def test_messages_of_libraries_are_told_without_them():
    cleaned("https://h.example/m.json?token=verysecret%2Fone")
    told = without_secrets("GET /m.json?token=verysecret%2Fone failed: verysecret/one")
    assert "verysecret" not in told


def test_a_password_of_a_pattern_counts_for_all_its_files():
    assert cleaned("http://u:pw00@pat.example/k{0..2}.jsonl") == "http://pat.example/k{0..2}.jsonl"
    for n in range(3):
        assert with_secrets(f"http://pat.example/k{n}.jsonl")[1] == "u:pw00"
    assert with_secrets("http://pat.example/k3.jsonl")[1] is None


def test_a_password_of_records_counts_for_their_folder_if_that_is_asked():
    address = cleaned("http://u:pw00@shared.example/a/im.jsonl?sig=abcdefgh")
    assert with_secrets("http://shared.example/a/1.png")[1] is None
    share_user(address, "http://shared.example/a")
    assert with_secrets("http://shared.example/a/1.png") == (
        "http://shared.example/a/1.png",
        "u:pw00",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("key=red.bmp", "key=blue.bmp"), ("code=1", "code=2"), ("token=aaaaaa", "token=bbbbbb"),
     ("X-Amz-Signature=f0", "X-Amz-Signature=f1"), ("policy=a", "policy=b")],
)  # fmt: skip
def test_addresses_of_records_that_differ_have_names_that_differ(one, other):
    names = [record_name(f"https://im.example/get?{query}") for query in (one, other, one)]
    assert names[0] == names[2] != names[1]
    assert [record_name(name) for name in names] == names


def test_users_are_told_apart_and_passwords_are_no_part_of_a_name():
    names = [record_name(f"https://{user}@im.example/x") for user in ("a:one1", "a:two2", "b:one1")]
    assert names[0] == names[1] != names[2]


def test_a_secret_is_not_in_a_name_and_is_in_the_request():
    name = record_name("https://u:passw0rd@im.example/x.png?sig=s1gnature&w=3")
    assert name.startswith("https://im.example/x.png?w=3#~")
    assert "s1gnature" not in name
    assert with_secrets(name) == ("https://im.example/x.png?w=3&sig=s1gnature", "u:passw0rd")
    assert with_secrets("https://im.example/x.png?w=3") == ("https://im.example/x.png?w=3", None)


def test_what_names_a_file_is_no_secret():
    for query in ("key=images/a-1.jpg", "code=12", f"key={'0a' * 20}"):
        assert record_name(f"https://im.example/get?{query}") == f"https://im.example/get?{query}"


@pytest.mark.parametrize("query", ["pass=geheim77", "pw=geheim77", "session=geheim77"])
def test_other_names_of_secrets_are_known(query):
    assert "geheim77" not in record_name(f"https://im.example/x?{query}")
    assert "geheim77" not in without_secrets(f"GET https://im.example/x?{query}")


@pytest.mark.parametrize("text", ["ftp://u:geheim77@h/x.jpg", "http://u:geheim99@[::1/x"])
def test_what_is_no_address_of_ours_has_no_password_in_its_name(text):
    assert "geheim" not in record_name(text)
    assert record_name(record_name(text)) == record_name(text)
    assert record_name(text) != record_name(text.replace("x", "y"))


def test_what_a_record_names_in_a_store_stays_what_it_is_called_there():
    assert record_name("s3://bucket/a?token=1#2.png") == "s3://bucket/a?token=1#2.png"
    assert record_name("s3://id:secret00@bucket/a@b.png") == "s3://bucket/a@b.png"


def test_a_record_does_not_replace_what_the_user_named():
    cleaned("http://me:mypw99@both.example/auth")
    evil = record_name("http://evil:evil99@both.example/auth")
    assert with_secrets("http://both.example/auth")[1] == "me:mypw99"
    assert with_secrets("http://both.example/auth/1.png")[1] == "me:mypw99"
    assert with_secrets(evil)[1] == "evil:evil99"


def test_many_addresses_of_records_cost_little():
    for n in range(50_000):
        record_name(f"https://many.example/{n}.png?token=t{n:08}")
    began = time.monotonic()
    for n in range(200):
        with_secrets(f"https://many.example/other{n}.png")
        without_secrets(f"the server says t{n:08}")
    assert time.monotonic() - began < 1
    assert "t00000007" not in without_secrets("GET /7.png?token=t00000007 failed")


def test_plain_words_of_a_message_stay_readable():
    cleaned("https://image:server@words.example/m.json?sig=page")
    told = "the server sends a page: text/html, which is no image"
    assert without_secrets(told) == told
    assert "server" not in without_secrets("https://image:server@words.example/m.json?sig=page")


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    for kept in (credentials._named, credentials._alone, credentials._recorded):
        kept.clear()
    credentials._recorded_values.clear()
