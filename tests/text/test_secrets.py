"""Credentials are found, wherever they stand; what only looks like one passes; in linear time."""

from __future__ import annotations

import random
import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git.text import secrets
from tests.text import secret_corpus as corpus
from tests.text.secret_corpus import Drawer

DRAWS = 14


def held(line: str, secret: str, rule: str | None = None) -> bool:
    """Whether the rules find all of a secret in a line, and nothing of it is left in the answer."""
    data = line.encode()
    start = data.index(secret.encode())
    found = secrets.find(data)
    covered = any(
        one.start <= start and start + len(secret) <= one.stop and rule in (None, one.rule)
        for one in found
    )
    return covered and secret.encode() not in secrets.redacted(data)


@pytest.mark.parametrize("number", range(len(corpus.TOKENS)))
def test_a_token_is_found_wherever_it_stands(number: int) -> None:
    kind = corpus.TOKENS[number]
    missed = []
    for draw in range(DRAWS):
        token = kind.draw(Drawer(1000 * number + draw))
        line = corpus.PLACES[draw % len(corpus.PLACES)].format(token)
        if not held(line, token, kind.rule):
            missed.append(line)
    assert missed == []


def test_a_value_of_a_telling_name_is_found() -> None:
    missed, drawn = [], 0
    for number, (line, draw) in enumerate(corpus.lines_with_names()):
        for seed in range(DRAWS):
            value = draw(Drawer(77 * number + seed))
            drawn += 1
            if not held(line.format(value), value):
                missed.append(line.format(value))
    # Chance writes something like words into one of several hundred.
    assert len(missed) <= drawn / 200, missed


@pytest.mark.parametrize("line", corpus.AWS_SECRETS)
def test_a_secret_of_aws_is_found_by_its_name(line: str) -> None:
    for seed in range(DRAWS):
        secret = Drawer(seed).of(corpus.BASE64, 40)
        assert held(line.format(secret), secret)


@pytest.mark.parametrize("line", corpus.HEADERS)
def test_what_a_header_carries_is_found(line: str) -> None:
    for seed in range(DRAWS):
        secret = Drawer(seed).of(corpus.BASE62, 40)
        assert held(line.format(secret), secret)


def test_a_login_in_a_header_is_found() -> None:
    login = b64encode(b"deploy:" + Drawer(3).of(corpus.BASE62, 12).encode()).decode()
    assert held(f"Authorization: Basic {login}", login, "authorization-basic")
    nobody = b64encode(b"user:password").decode()
    assert secrets.find(f"Authorization: Basic {nobody}".encode()) == []


@pytest.mark.parametrize("line", corpus.URLS)
def test_a_password_in_an_address_is_found(line: str) -> None:
    for seed in range(DRAWS):
        secret = Drawer(seed).of(corpus.BASE62, 14)
        assert held(line.format(secret), secret, "password-in-url")


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", ""])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\\n", '\\n"\n    "', " "])
def test_a_private_key_is_found_whole(kind: str, ending: str) -> None:
    key = corpus.pem(Drawer(9), kind)
    body = key.split("\n")[1:-1]
    text = f'before = 1\n  "{key.replace(chr(10), ending)}"\nafter = 2\n'
    data = text.encode()
    (found,) = secrets.find(data)
    assert found.rule == "private-key"
    left = secrets.redacted(data)
    assert left.startswith(b"before = 1\n")
    assert left.endswith(b"after = 2\n")
    assert not any(row.encode() in left for row in body)


def test_a_private_key_that_is_cut_off_is_found() -> None:
    key = corpus.pem(Drawer(10))
    half = key[: len(key) // 2]
    data = f"a\n{half}\n\n# a remark (behind it) {{\n".encode()
    assert [one.rule for one in secrets.find(data)] == ["private-key"]
    assert half.split("\n")[3].encode() not in secrets.redacted(data)


def test_a_key_with_headers_of_its_own_is_found() -> None:
    dashes = "-" * 5
    key = corpus.pem(Drawer(11)).replace(
        f"KEY{dashes}\n", f"KEY{dashes}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\n", 1
    )
    assert [one.rule for one in secrets.find(key.encode())] == ["private-key"]


@pytest.mark.parametrize("seed", range(DRAWS))
def test_look_alikes_pass(seed: int) -> None:
    flagged = [
        (line, secrets.find(line.encode()))
        for line in corpus.alike(Drawer(seed))
        if secrets.find(line.encode())
    ]
    assert flagged == []


def test_look_alikes_pass_as_one_file() -> None:
    """Joined, so that a rule which reads on into the next line would show."""
    text = "\n".join(corpus.alike(Drawer(50))).encode()
    assert secrets.find(text) == []
    assert secrets.redacted(text) is text


def test_secrets_stand_where_they_are_in_a_larger_text() -> None:
    d = Drawer(4)
    token, password = corpus.TOKENS[1].draw(d), d.password(16)
    text = f'# a file\nkey = "{token}"\n\npassword = "{password}"\n'.encode()
    first, second = secrets.find(text)
    assert text[first.start : first.stop] == token.encode()
    assert text[second.start : second.stop] == password.encode()
    assert secrets.redacted(text) == (
        b'# a file\nkey = "[secret:github-token]"\n\npassword = "[secret:assigned-secret]"\n'
    )


def test_redacting_twice_is_redacting_once() -> None:
    for number, kind in enumerate(corpus.TOKENS):
        once = secrets.redacted(f"token={kind.draw(Drawer(number))} ".encode())
        assert secrets.redacted(once) == once


@given(st.lists(st.sampled_from(corpus.READ_BY_PEOPLE) | st.text(max_size=40), max_size=12))
def test_whatever_the_text_spans_are_apart_and_within(parts: list[str]) -> None:
    data = "".join(parts).encode("utf-8", "surrogatepass")
    found = secrets.find(data)
    edges = [edge for one in found for edge in (one.start, one.stop)]
    assert edges == sorted(edges)
    assert all(0 <= one.start < one.stop <= len(data) for one in found)


HOSTILE = {
    "letters": b"a",
    "dashes": b"-",
    "begins": b"-----BEGIN PRIVATE KEY-----",
    "begun bodies": b"-----BEGIN RSA PRIVATE KEY-----\n" + b"Q" * 70,
    "jwt": b"eyJ",
    "jwt with dots": b"eyJhbGciOiJIUzI1NiJ9.",
    "dots": b".abcdef",
    "tokens": b"ghp_",
    "words": b"password",
    "signs": b"password=",
    "named": b"password = token = ",
    "quotes": b"password='",
    "keys": b"api_key:",
    "schemes": b"://",
    "logins": b"://a:",
    "hosts": b"://a:b@",
    "headers": b"Authorization: Bearer ",
    "behind": b"0123456789:AA",
    "blanks": b"secret" + b" " * 20,
    "telegram": b":AA",
    "runs": b"sk-" + b"a1B2" * 400 + b" ",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_the_time_is_linear_in_the_size(name: str) -> None:
    """Four times the text takes about four times as long, whatever it repeats."""

    def seconds(size: int) -> float:
        text = (HOSTILE[name] * (size // len(HOSTILE[name]) + 1))[:size]
        best = 1e9
        for _ in range(2):
            before = time.process_time()
            secrets.find(text)
            best = min(best, time.process_time() - before)
        return best

    small, large = seconds(50_000), seconds(200_000)
    assert large < 10 * small + 0.05, (small, large)
    assert large < 2.0


def test_bytes_that_are_no_text_are_read_too() -> None:
    noise = random.Random(5).randbytes(200_000)  # noqa: S311
    token = corpus.TOKENS[1].draw(Drawer(8)).encode()
    data = noise[:100_000] + b" " + token + b" " + noise[100_000:]
    assert [data[one.start : one.stop] for one in secrets.find(data)] == [token]
