"""Where `slip` starts: what needs nothing is answered before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command and exit with its status (the table is in errors.py)."""
    if sys.argv[1:] == ["--version"]:
        from slipstream_git import __version__

        print(f"slip {__version__}")
        return
    from slipstream_git.faces.command import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
