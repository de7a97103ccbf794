"""Credentials row by row, under the names of a corpus that lies outside the repository.

Where it lies beside the clone, a test holds that none of its rows is missing here.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from slipstream_git.text import secrets
from tests.lab import SOURCE, Lab
from tests.text import secret_corpus as corpus
from tests.text.secret_corpus import BASE32, BASE62, BASE64, HEX, URL64, Drawer

CORPUS = SOURCE.parent / "shared" / "data" / "badinputs.json"
SEEDS = range(5)

Drawn = Callable[[Drawer], tuple[str, str]]


def alone(*prefixes: str, alphabet: str, size: int, ending: str = "") -> list[Drawn]:
    """Tokens of these prefixes; each is its own line."""

    def drawn(prefix: str) -> Drawn:
        def draw(d: Drawer) -> tuple[str, str]:
            token = prefix + d.of(alphabet, size) + ending
            return token, token

        return draw

    return [drawn(prefix) for prefix in prefixes]


def within(line: str, alphabet: str, size: int, ending: str = "") -> Drawn:
    """A line that holds a value which is secret."""

    def draw(d: Drawer) -> tuple[str, str]:
        value = d.of(alphabet, size) + ending
        return line.replace("{}", value), value

    return draw


def key(kind: str) -> Drawn:
    def draw(d: Drawer) -> tuple[str, str]:
        text = corpus.pem(d, kind)
        return text, text.split("\n")[5]

    return draw


def account(d: Drawer) -> tuple[str, str]:
    text = json.dumps({"type": "service_account", "private_key": corpus.pem(d, "") + "\n"})
    return text, text.split("\\n")[5]


ROWS: dict[str, list[Drawn]] = {
    "secrets.anthropic": alone("sk-ant-api03-", alphabet=URL64, size=93, ending="AA"),
    "secrets.aws_akid": alone("AKIA", "ASIA", alphabet=BASE32, size=16),
    "secrets.aws_secret": [within(line, BASE64, 40) for line in corpus.AWS_SECRETS],
    "secrets.azure": [
        within("AccountName=a;AccountKey={}", BASE64, 86, "=="),
        within("SharedAccessSignature sr=x&sig={}&se=1", BASE62, 43, "%3D"),
    ],
    "secrets.bearer": [
        within("Authorization: Bearer {}", BASE62, 40),
        within("authorization: bearer {}", URL64, 64),
        lambda d: ("Authorization: Basic " + (login := basic(d)), login),
    ],
    "secrets.dsn": [
        within("postgres://app:{}@db.acme.io/x", BASE62, 14),
        within("mongodb+srv://app:{}@c.acme.io", BASE62, 14),
        within("redis://:{}@10.0.0.7:6379", BASE62, 14),
    ],
    "secrets.env": [
        within(f"{name}={{}}", BASE62, 31, "7")
        for name in ("PASSWORD", "SECRET", "TOKEN", "API_KEY", "DB_PASSWORD", "APP_SECRET")
    ],
    "secrets.github": [
        *alone("ghp_", "gho_", "ghu_", "ghs_", "ghr_", alphabet=BASE62, size=36),
        *alone("github" + "_pat_", alphabet=BASE62, size=82),
    ],
    "secrets.gitlab": alone("glpat-", alphabet=URL64, size=20),
    "secrets.google": [
        *alone("AIza", alphabet=URL64, size=35),
        *alone("ya29.", alphabet=URL64, size=80),
        account,
    ],
    "secrets.hf": alone("hf_", alphabet=BASE62, size=34),
    "secrets.openai": [
        *alone("sk-proj-", alphabet=URL64, size=120),
        *alone("sk-", alphabet=BASE62, size=47, ending="7"),
    ],
    "secrets.pem": [key("RSA "), key("EC "), key("OPENSSH "), key("")],
    "secrets.pypi": alone("pypi-" + "AgEIcHlwaS5vcmc", alphabet=URL64, size=150),
    "secrets.sendgrid": [
        lambda d: (token := f"SG.{d.of(URL64, 22)}.{d.of(URL64, 43)}", token),
    ],
    "secrets.stripe": alone("sk" + "_live_", "rk" + "_live_", alphabet=BASE62, size=24),
    "secrets.url_creds": [within("https://me:{}@git.acme.io/a.git", BASE62, 16)],
}
KEPT = ("secrets.sha",)
END_TO_END = ("secrets.everywhere",)


def basic(d: Drawer) -> str:
    from base64 import b64encode  # noqa: PLC0415

    return b64encode(f"deploy:{d.of(BASE62, 14)}".encode()).decode()


def test_every_row_of_the_corpus_is_here() -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus does not lie beside this clone")
    rows = json.loads(CORPUS.read_text())
    wanted = {row["id"]: row["code"] for row in rows if row["group"] == "secrets"}
    ours = dict.fromkeys((*ROWS, *END_TO_END), "redacted") | dict.fromkeys(KEPT, "kept")
    assert ours == wanted


@pytest.mark.parametrize("row", sorted(ROWS))
def test_a_secret_is_redacted(row: str) -> None:
    for draw in ROWS[row]:
        for seed in SEEDS:
            text, secret = draw(Drawer(seed))
            left = secrets.redacted(f"before\n{text}\nafter\n".encode())
            assert secret.encode() not in left, text
            assert left.startswith(b"before\n")
            assert left.endswith(b"\nafter\n")


def test_ids_and_digests_are_kept() -> None:
    """secrets.sha"""
    for seed in SEEDS:
        d = Drawer(seed)
        uuid = "-".join(d.of(HEX, size) for size in (8, 4, 4, 4, 12))
        text = (
            f"commit {d.of(HEX, 40)}\nid = {uuid}\ntoken: {uuid}\nsha256:{d.of(HEX, 64)}\n"
            f"integrity sha512-{d.of(BASE64, 86)}==\nmd5 = {d.of(HEX, 32)}\n{d.of(BASE64, 43)}=\n"
        ).encode()
        assert secrets.redacted(text) == text


def test_nothing_that_is_said_of_a_landing_holds_it(repo: Lab) -> None:
    """secrets.everywhere: errors and messages, for people and for programs."""
    token = corpus.TOKENS[1].draw(Drawer(4))
    repo.slip("begin", "s")
    repo.slip("write", "fine", stdin=b"x\n")
    for form in ((), ("--json",)):
        told = repo.slip(*form, "commit", "-m", f"Use {token}", expect=1)
        assert token.encode() not in told.out + told.err
    repo.slip("write", "conf", stdin=f"key = '{token}'\n".encode())
    for form in ((), ("--json",)):
        told = repo.slip(*form, "commit", "-m", "m", expect=4)
        assert token.encode() not in told.out + told.err
        told = repo.slip(*form, "check", "--gate", "secrets", expect=4)
        assert token.encode() not in told.out + told.err
