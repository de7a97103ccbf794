"""What of a long hunk is told to a person."""

from __future__ import annotations

from tests.lab import Lab


def test_a_rebase_says_how_much_of_a_hunk_it_leaves_out(repo: Lab) -> None:
    repo.commit({"long": "".join(f"{n}\n" for n in range(30))}, "long")
    repo.slip("begin", "s")
    repo.slip("write", "long", "-s", "s", stdin="".join(f"a{n}\n" for n in range(30)).encode())
    repo.commit({"long": "".join(f"b{n}\n" for n in range(30))}, "theirs")
    for command in ("rebase", "status"):
        told = repo.slip(command, "-s", "s").text
        assert told.count("      … 22 more lines\n") == 3, told
        assert "      7\n      … 22" in told
