"""Writes the pages of docs/ that are made from the code, or checks that they are fresh.

    python docs/generate.py             write them
    python docs/generate.py --check     exit 1 and name each page that is stale or missing

A page is a function that returns its text. To add one: write the function, and name it in PAGES.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from explanations import EXPLANATIONS
from reference import cli_page, protocol_page

from slipstream_git import errors

HERE = Path(__file__).parent
NOTE = "<!-- Made by docs/generate.py; change the code or docs/explanations.py instead. -->\n\n"

ERRORS_HEAD = """\
# Errors

A command that does not exit 0 says why with a code that does not change between versions: in
`error.code` under `--json`, over JSON-RPC and over MCP. The exit status is the code's class.
"""
EXIT_CLASSES = {
    errors.REFUSED: "refused, nothing changed",
    errors.ASKED_WRONGLY: "asked wrongly, nothing changed",
    errors.CONFLICT: "conflict, nothing moved",
    errors.GATE_FAILED: "a gate is not green, nothing moved",
    errors.BUG: "a bug in slip",
    errors.INTERRUPTED: "interrupted",
}


def errors_page() -> str:
    """Every error code, by exit status, with what to do about it."""
    if EXPLANATIONS.keys() != errors.EXIT_STATUS.keys():
        odd = sorted(EXPLANATIONS.keys() ^ errors.EXIT_STATUS.keys())
        raise SystemExit(f"docs/explanations.py and errors.EXIT_STATUS differ in: {', '.join(odd)}")
    parts = [ERRORS_HEAD]
    for status, title in EXIT_CLASSES.items():
        rows = [
            f"| `{code}` | {EXPLANATIONS[code].means} | {EXPLANATIONS[code].do} |"
            for code, its_status in errors.EXIT_STATUS.items()
            if its_status == status
        ]
        head = ["| code | what it means | what to do |", "|---|---|---|"]
        parts.append("\n".join([f"## Exit {status}: {title}\n", *head, *rows, ""]))
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "protocol.md": protocol_page,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="only tell which are stale")
    parser.add_argument("--into", type=Path, default=HERE, metavar="DIR", help="instead of docs/")
    asked = parser.parse_args()
    stale = 0
    for name, page in PAGES.items():
        path: Path = asked.into / name
        text = NOTE + page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if asked.check:
            stale += 1
            print(f"docs/{name} is stale: run `make docs`", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
