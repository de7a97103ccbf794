"""Where `slip` starts: what needs nothing is answered before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command and exit with its status (the table is in errors.py)."""
    if sys.argv[1:] == ["--version"]:
        from slipstream_git import __version__

        print(f"slip {__version__}")
        return
    if sys.argv[1:2] in (["hook"], ["statusline"]):
        from slipstream_git.faces import hosting

        if hosting.run(sys.argv[1:]):
            return
    try:
        from slipstream_git.faces import client

        status, given = client.run(sys.argv[1:])
        if status is None:
            from slipstream_git.faces.command import run

            status = run(sys.argv[1:], given)
    except KeyboardInterrupt:  # while the imports ran
        print("slip: interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
