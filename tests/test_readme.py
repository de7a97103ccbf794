"""The README's first screen is what the commands in it really print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from slipstream_git.changes import demonstration
from tests.lab import Lab

README = Path(__file__).parent.parent / "README.md"
POLITE = """[
 {"op": "str_replace", "path": "greet.py", "old": "\\"Hello, \\" + name",
  "new": "\\"Good day, \\" + name"},
 {"op": "write", "path": "README.md", "content": "Greets politely.\\n"}]"""
LOUD = """[{"op": "str_replace", "path": "greet.py", "old": "\\"Hello, \\" + name",
  "new": "\\"HELLO, \\" + name.upper()"}]"""


def transcript() -> list[tuple[str, str]]:
    """The commands of the first console block, each with the output printed below it."""
    text = README.read_text(encoding="utf-8")
    block = re.search(r"```console\n(.*?)```", text, re.DOTALL)
    assert block is not None
    parts = re.split(r"^\$ (.*)\n", block[1], flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def plain(text: str) -> str:
    """Without ids, comments and trailing blanks."""
    text = re.sub(r"\b[0-9a-f]{10}\b", "ID", text)
    return "\n".join(re.sub(r"\s+#.*", "", line) for line in text.strip().splitlines())


def test_the_demo_ends_as_it_says(repo: Lab) -> None:
    """One conflict, resolved; three landings; and the person's own edit is where it was."""
    told = repo.slip_json("demo", env={"TMPDIR": str(repo.path.parent)}).json
    refused = [step for step in told["steps"] if step.get("error")]
    assert [step["error"]["code"] for step in refused] == ["conflict"]
    landings = [s for s in told["steps"] if s["operation"] == "commit" and not s.get("error")]
    assert len(landings) == 3
    demo = Lab(Path(told["repository"]))
    greet = demo.tree("main")["greet.py"].decode()
    assert 'return "HELLO, " + name.upper()' in greet
    assert 'return "Goodbye, " + name' in greet
    assert demo.git("status", "--short") == " M main.py"


def test_the_first_screen_is_true(unborn_repo: Lab) -> None:
    repo = unborn_repo
    files = {"greet.py": demonstration.GREET, "main.py": demonstration.MAIN}
    repo.commit(dict(files), "A program that greets")
    repo.write("main.py", (demonstration.MAIN + "# mine\n").encode())
    inputs = {"batch.json": POLITE.encode(), "other.json": LOUD.encode()}
    for command, printed in transcript():
        program, *words = shlex.split(command, comments=True)
        if program == "git":
            shown = repo.git(*words)
        else:
            stdin = b""
            if "<" in words:
                stdin = inputs[words[words.index("<") + 1]]
                words = words[: words.index("<")]
            reply = repo.slip(*words, stdin=stdin, expect=3 if "conflict" in printed else 0)
            shown = (reply.out or reply.err).decode()
        assert plain(shown).replace("Ada Test", "Ada") == plain(printed), command
