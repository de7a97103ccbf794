"""Credentials where no line of a file holds them: in names, in links, in text of two bytes a
letter, in who made it and what it is called. And nothing that is told repeats them.
"""

from __future__ import annotations

import json
import shlex

import pytest

from slipstream_git.changes import wording
from slipstream_git.errors import SlipError
from slipstream_git.gitdb.supervising import KEPT_BYTES
from slipstream_git.text import secrets
from tests.desk import Desk, Free, Json, batch, delete, move, write
from tests.gates import gates
from tests.text import secret_corpus as corpus
from tests.text.secret_corpus import Drawer

# Those that can stand in the name of a file.
PLAIN = [kind for kind in corpus.TOKENS if not set(kind.draw(Drawer(0))) & set("/: ")]
TOKEN = corpus.TOKENS[1].draw(Drawer(1))
NEAR = ("main.3f9a61c07d2e.js", "src/tokens/secret_token.py", "uuid-1b4e28ba-2fa1-11d2-883f")


def utf16(text: str, encoding: str = "utf-16-le") -> bytes:
    """As programs write it: with a byte order mark."""
    return ("\ufeff" + text).encode(encoding)


def link(path: str, target: str) -> Json:
    return {"op": "symlink", "path": path, "target": target}


def findings(fault: SlipError, token: str = TOKEN) -> list[Json]:
    assert token not in str(fault.as_json())
    assert token not in str(fault.hint)
    rows: Free = fault.data["findings"]
    return list(rows)


def refused(desk: Desk, *ops: Json, token: str = TOKEN) -> list[Json]:
    """What is found in what these ops make of it; nothing moved, and nothing repeats it."""
    desk.apply(*ops)
    before, refs = desk.lab.snapshot(), desk.lab.refs("refs/heads/")
    found = findings(desk.commit_refused("gate-failed"), token)
    assert (desk.lab.snapshot(), desk.lab.refs("refs/heads/")) == (before, refs)
    checked = desk.refused("gate-failed", "check")
    assert token not in str(checked.as_json())
    return found


@pytest.fixture
def begun(desk: Desk) -> Desk:
    desk.lab.commit({"a": "1\n", "old": f"key = {TOKEN}\n"})
    desk.begin("s")
    return desk


# --- in the tree ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(PLAIN)))
def test_a_name_with_a_token_is_found(number: int) -> None:
    for draw in range(5):
        token = PLAIN[number].draw(Drawer(300 * number + draw))
        for name in (f"{token}", f"backup/{token}/a.txt", f"keys/{token}.json"):
            found = secrets.find(name.encode())
            assert [one.rule for one in found] == [PLAIN[number].rule], name
            assert token.encode() not in secrets.redacted(name.encode())


def test_a_name_is_a_finding_and_is_not_repeated(begun: Desk) -> None:
    (one,) = refused(begun, write(f"keys/{TOKEN}.json", "{}\n"))
    assert one["path"] == "keys/[secret:github-token].json"
    assert (one["check"], one["rule"], one.get("line")) == ("secrets", "github-token", None)
    begun.lab.commit({".slip.toml": f'[builtin]\nallow_lines = ["{one["mark"]}"]\n'})
    begun.commit("allowed")


def test_a_name_that_is_there_may_stay_and_move(begun: Desk) -> None:
    begun.lab.commit({f"{TOKEN}/a": "1\n"})
    begun.begin("t")
    begun.apply(write(f"{TOKEN}/a", "2\n"), session="t")
    begun.commit("edited", session="t")
    begun.begin("u")
    begun.apply(move(f"{TOKEN}/a", f"moved/{TOKEN}"), session="u")
    begun.commit("moved", session="u")


@pytest.mark.parametrize("name", NEAR)
def test_names_that_only_look_so_pass(begun: Desk, name: str) -> None:
    begun.apply(write(name, "x\n"), link("l", name))
    begun.commit("fine")


@pytest.mark.parametrize("number", range(0, len(corpus.TOKENS), 4))
def test_where_a_link_points_to_is_read(begun: Desk, number: int) -> None:
    token = corpus.TOKENS[number].draw(Drawer(number))
    (one,) = refused(begun, link("l", f"https://acme.io/{token}"), token=token)
    assert (one["path"], one["line"]) == ("l", 1)


def test_a_password_in_a_link_is_found_and_one_that_was_there_is_not(begun: Desk) -> None:
    password = Drawer(5).of(corpus.BASE62, 14)
    (one,) = refused(begun, link("l", f"postgres://app:{password}@db.acme.io"), token=password)
    assert one["rule"] == "password-in-url"
    begun.commit("all the same", check=False)
    begun.begin("t")
    begun.apply(move("l", "moved"), write("a", "2\n"), session="t")
    begun.commit("moved", session="t")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_read(begun: Desk, encoding: str) -> None:
    for number, kind in enumerate(corpus.TOKENS):
        token = kind.draw(Drawer(number))
        text = f"first = 1\r\nkey = '{token}'\r\n"
        begun.apply(write(f"f{number}", utf16(text, encoding)))
    fault = begun.commit_refused("gate-failed")
    found = findings(fault)
    assert len(found) == min(50, len(corpus.TOKENS))
    assert {one["line"] for one in found} == {2}


def test_utf_16_that_was_there_or_holds_none_passes(begun: Desk) -> None:
    text = f"key = '{TOKEN}'\r\n"
    begun.lab.commit({"w": utf16(text)})
    begun.begin("t")
    begun.apply(
        write("w", utf16(f"more\r\n{text}")), write("v", utf16("\n".join(corpus.READ_BY_PEOPLE))),
        write("odd", b"\xff\xfe" + TOKEN.encode()), write("lone", utf16("a")[:-1] + b"\xd8"),
        session="t",
    )  # fmt: skip
    begun.commit("fine", session="t")


def test_a_conflict_in_utf_16_is_found(begun: Desk) -> None:
    begun.apply(write("w", utf16("a\r\n<<<<<<< HEAD\r\nb\r\n=======\r\nc\r\n>>>>>>> x\r\n")))
    found = findings(begun.commit_refused("gate-failed"))
    assert [one["line"] for one in found] == [2, 4, 6]


# --- beside the tree ------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["author", "GIT_AUTHOR_NAME", "GIT_COMMITTER_EMAIL"])
def test_who_made_it_is_read(begun: Desk, field: str) -> None:
    begun.apply(write("b", "1\n"))
    before = begun.lab.refs()
    said: Json = {"author": f"{TOKEN} <a@example.com>"} if field == "author" else {}
    said |= {} if said else {"env": {field: TOKEN}}
    fault = begun.commit_refused("secret", **said)
    assert TOKEN not in str(fault.as_json())
    assert begun.lab.refs() == before
    begun.commit("theirs", check=False, **said)


@pytest.mark.parametrize(
    "said",
    [
        {"message": (f"Use {TOKEN}",)},
        {"message": ("fine",), "trailer": (f"Token={TOKEN}", "Seen-by=me")},
        {"message": ("fine", f"and {TOKEN}")},
        {"message": ("fine",), "author": f"{TOKEN} <a@example.com>"},
    ],
)
def test_the_hint_leaves_out_what_was_refused_and_lands(begun: Desk, said: Json) -> None:
    begun.apply(write("b", "1\n"))
    fault = begun.refused("secret", "commit", session="s", keep=True, **said)
    assert TOKEN not in str(fault.as_json())
    words = shlex.split(str(fault.hint))
    assert "--keep" in words
    assert ("--trailer" in words) == ("trailer" in said)
    begun.lab.slip(*words[1:])
    assert TOKEN not in begun.lab.git("log", "-1", "--format=raw", "main")


def test_what_cannot_be_read_is_not_repeated(begun: Desk) -> None:
    begun.apply(write("b", "1\n"))
    for said in ({"trailer": (TOKEN,)}, {"author": TOKEN}):
        fault = begun.refused("usage", "commit", session="s", message=("m",), **said)
        assert TOKEN not in str(fault.as_json())


@pytest.mark.parametrize("field", ["title", "agent", "name"])
def test_a_session_is_not_called_so(begun: Desk, field: str) -> None:
    before = begun.lab.refs()
    fault = begun.refused("secret", "begin", **{field: TOKEN})
    assert TOKEN not in str(fault.as_json())
    values: Json = {"session" if field == "name" else field: TOKEN}
    fault = begun.refused("secret", "exec", ops=batch(write("b", "1\n")), message=("m",), **values)
    assert TOKEN not in str(fault.as_json())
    assert begun.lab.refs() == before
    begun.lab.commit({".slip.toml": "[builtin]\nsecrets = false\n"})
    begun.begin(**{field: TOKEN})


@pytest.mark.parametrize("field", ["group", "agent"])
@pytest.mark.parametrize("verb", ["apply", "capture", "run"])
def test_a_step_is_not_called_so(begun: Desk, field: str, verb: str) -> None:
    begun.lab.write("a", "2\n")
    ran = begun.lab.path.parent / "ran"
    verbs: dict[str, Json] = {
        "apply": {"ops": batch(write("b", "1\n"))},
        "capture": {},
        "run": {"command": ("touch", str(ran)), "capture": True},
    }
    asked = verbs[verb]
    before = begun.lab.refs()
    fault = begun.refused("secret", verb, session="s", **asked, **{field: TOKEN})
    assert TOKEN not in str(fault.as_json())
    assert begun.lab.refs() == before
    assert not ran.exists()


def test_what_a_session_from_elsewhere_is_called_is_not_noted(begun: Desk) -> None:
    """Its chain is as it was made; its branch gets none of it."""
    begun.lab.commit({".slip.toml": "[builtin]\nsecrets = false\n"})
    begun.begin("t", title=f"Use {TOKEN}", agent=TOKEN)
    begun.apply(write("b", "1\n"), session="t", group=f"Add {TOKEN}")
    begun.lab.commit({".slip.toml": ""})
    begun.lab.git("config", "slip.trailers", "Assisted-by")
    fault = begun.refused("secret", "commit", session="t")  # the title is the message
    assert TOKEN not in str(fault.as_json())
    fault = begun.refused("secret", "commit", session="t", series=True)
    assert TOKEN not in str(fault.as_json())
    words = shlex.split(str(fault.hint))
    assert words == ["slip", "commit", "-s", "t", "-m", "MESSAGE"]
    begun.lab.slip(*words[1:])
    assert "Assisted-by: [secret:github-token]" in begun.lab.git("log", "-1", "main")
    note = json.loads(begun.lab.git("notes", "--ref=slip/landed", "show", "main"))
    assert TOKEN not in str(note)
    assert note["title"] == "Use [secret:github-token]"


def test_an_adopted_branch_is_judged_when_it_lands(begun: Desk) -> None:
    begun.lab.git("checkout", "-q", "-b", "side")
    begun.lab.commit({"b": "1\n"}, f"Use {TOKEN}")
    begun.lab.git("checkout", "-q", "main")
    begun.call("adopt", branch="side", name="t")
    begun.refused("secret", "commit", session="t")
    begun.commit("Use it", session="t")


def test_what_may_hold_none_is_known_without_the_rules() -> None:
    """Wherever the rules find anything in a line, they are asked."""
    lines = [line.format(kind.draw(Drawer(n))) for n, kind in enumerate(corpus.TOKENS)
             for line in corpus.PLACES]  # fmt: skip
    lines += [line.format(draw(Drawer(7))) for line, draw in corpus.lines_with_names()]
    for draw in range(4):
        secret = Drawer(draw).of(corpus.BASE62, 14)
        lines += [line.format(secret) for line in (*corpus.HEADERS, *corpus.URLS)]
        lines += [line.format(secret[:9]) for line in corpus.URLS]
    found = [line for line in lines if secrets.find(line.encode())]
    assert len(found) > 0.95 * len(lines)
    assert [line for line in found if not wording.may_hold(line)] == []
    for plain in ("Retry uploads", "claude", "Fix: a token was lost", "v1.2 (again)"):
        assert wording.may_hold(plain) == ("token" in plain)
        assert wording.blotted(plain) == plain


def test_a_file_that_goes_takes_its_name_with_it(begun: Desk) -> None:
    begun.lab.commit({TOKEN: "1\n"})
    begun.begin("t")
    begun.apply(delete(TOKEN), session="t")
    begun.commit("gone", session="t")


# --- what gates print -----------------------------------------------------------------------------


def pieces(secret: str, size: int = 12) -> list[str]:
    return [secret[at : at + size] for at in range(0, len(secret) - size + 1, size // 2)]


@pytest.mark.parametrize("ending", [" ", "\n"])
@pytest.mark.parametrize(
    "secret", [TOKEN, corpus.pem(Drawer(12)), corpus.TOKENS[-1].draw(Drawer(3))]
)
def test_nothing_is_left_where_the_tail_is_cut(desk: Desk, secret: str, ending: str) -> None:
    """Wherever the cut goes through it: in its beginning, its middle, its end."""
    desk.lab.commit({".slip.toml": gates(red="cat said; exit 1")})
    desk.begin("s")
    for part in (0.2, 0.5, 0.9):
        after = KEPT_BYTES - int(len(secret) * (1 - part)) - 2 * len(ending)
        filler = ("word " * KEPT_BYTES)[: after - 4].rstrip() + " end"
        said = f"{'before ' * 4000}{ending}{secret}{ending}{filler}"
        desk.apply(write("said", said))
        fault = desk.refused("gate-failed", "check", gate=("red",))
        rows: Free = fault.data["gates"]
        tail = rows[0]["tail"]
        assert tail.endswith(" end")
        assert len(tail) > KEPT_BYTES / 2
        assert not [piece for piece in pieces(secret) if piece in str(fault.as_json())]
        note = desk.lab.git("notes", "--ref=slip/gates", "show", str(fault.data["tree"]))
        assert not [piece for piece in pieces(secret) if piece in note]


def test_a_setup_that_fails_repeats_none(desk: Desk) -> None:
    setup = '[pool]\nsetup = "cat said; exit 1"\n'
    desk.lab.commit({".slip.toml": gates(a="true") + setup})
    desk.begin("s")
    desk.apply(write("said", f"key = '{TOKEN}'\nend\n"))
    fault = desk.refused("gate-failed", "check", gate=("a",))
    rows: Free = fault.data["gates"]
    assert rows[0]["tail"] == "key = '[secret:github-token]'\nend"
    assert TOKEN not in str(fault.as_json())
