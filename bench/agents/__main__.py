"""`python -m bench.agents`: see the head of the package."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.agents import __doc__ as package_doc
from bench.agents import fixtures, report, tasks


def main(arguments: Sequence[str]) -> int:
    """Run one command; exit status 1 when a check finds a fault."""
    asked = _parser().parse_args(arguments)
    if asked.command == "make":
        slip = asked.slip or shutil.which("slip") or ""
        if asked.arm == "slip" and not slip:
            print("no slip on the PATH; name one: --slip FILE", file=sys.stderr)
            return 2
        fixtures.make(asked.place, tasks.find(asked.task), asked.arm, slip)
        return 0
    if asked.command == "report":
        print(report.table(asked.places))
        return 0
    verdict = fixtures.check(asked.place, asked.task)
    print(f"{verdict.task}: {verdict.wrong_bytes} wrong bytes")
    for fault in verdict.faults:
        print(f"  {fault}")
    return int(bool(verdict.faults))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.agents",
        description=package_doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("place", type=Path, metavar="DIR")
    make.add_argument("task", choices=list(tasks.TASKS), metavar="TASK")
    make.add_argument("--arm", choices=list(fixtures.HOW), default="slip")
    make.add_argument("--slip", metavar="FILE", help="the slip to record (default: on the PATH)")
    check = commands.add_parser("check")
    check.add_argument("place", type=Path, metavar="DIR")
    check.add_argument("task", nargs="?", choices=list(tasks.TASKS), metavar="TASK")
    show = commands.add_parser("report")
    show.add_argument("places", nargs="+", type=Path, metavar="LOG")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
