"""`slip` as a user has it: a wheel in a virtual environment of its own, its bytecode compiled.

Start-up is what is measured, and an editable install starts differently. The wheel's dependencies
are copied from the environment that runs the benchmark, so that no network is needed.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from bench.git import environment

SOURCE = Path(__file__).resolve().parent.parent


class Installed(NamedTuple):
    """The two programs of one environment, and how it came to be."""

    slip: Path
    python: Path
    how: str


def install(room: Path) -> Installed:
    """Build the wheel and install it below ``room``; needs hatchling here, or the network."""
    wheel = _wheel(room / "dist")
    place = room / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, env=environment())
    python = place / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet",
         "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)],
        check=True, env=environment(),
    )  # fmt: skip
    packages = next((place / "lib").glob("python*/site-packages"))
    for name in sorted(_dependencies()):
        _copy(name, packages)
    compileall.compile_dir(str(packages), quiet=2)
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    said = f"{wheel.name}, installed by {' '.join(pip.split()[:2])}"
    return Installed(place / "bin" / "slip", python, said)


def _wheel(into: Path) -> Path:
    isolation = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(into), str(SOURCE)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return next(into.glob("*.whl"))


def _dependencies() -> set[str]:
    """What the package needs with the extra `reading`, and what that needs, by name."""
    settings = tomllib.loads((SOURCE / "pyproject.toml").read_text())
    extra = settings["project"]["optional-dependencies"]["reading"]
    wanted = [_name(line) for line in settings["project"]["dependencies"] + extra]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        found.add(name)
        wanted += [_name(r) for r in distribution.requires or () if "extra ==" not in r]
    return found


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _copy(name: str, packages: Path) -> None:
    for file in importlib.metadata.files(name) or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
