"""Repositories to measure on: one made up, and one as large as trees get.

The made-up one has 5,000 files and the same bytes on every machine. The large one is the source of
the Linux kernel as Debian ships it (about 78,000 files in 5,000 directories), taken from
/usr/src/linux-source-* where that package is installed; else `apt-get download` fetches it. Both
are kept in ``$SLIP_BENCH_CACHE``, by default bench/.cache.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.git import environment, git

SYNTHETIC_FILES = 5000
MADE_UP = "synthetic-5000"
LINUX = "linux"

_WORDS = """
value result index count state node parent child buffer offset length name path entry tree
commit branch handle options table context error message request reply token cache lock
reader writer stream header field record block chunk size limit begin end first last next
""".split()  # noqa: SIM905  (a list would be eight times as long)
_ENDINGS = (".py", ".py", ".py", ".c", ".h", ".md", ".yml", ".txt")


class Item(NamedTuple):
    """One file of a tree to be imported."""

    path: str
    mode: str
    data: bytes


def cache() -> Path:
    chosen = os.environ.get("SLIP_BENCH_CACHE")
    directory = Path(chosen) if chosen else Path(__file__).parent / ".cache"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def synthetic() -> Path:
    """The made-up repository: 5,000 text files, most of them small, a few of 100 kB."""
    return _kept(MADE_UP, lambda: _made_up(SYNTHETIC_FILES))


def linux() -> Path:
    """The Linux kernel's tree in one commit. Raises FileNotFoundError where it cannot be had."""
    return _kept(LINUX, _kernel)


def _kept(name: str, items: Callable[[], Iterable[Item]]) -> Path:
    """The repository of that name in the cache, made first where it is missing."""
    place = cache() / name
    if not (place / "HEAD").exists():
        making = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache()))
        _import(making, items())
        making.rename(place)
    return place


def _import(place: Path, items: Iterable[Item]) -> None:
    """One commit of these files in a bare repository, through git fast-import: no file is made."""
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    with subprocess.Popen(
        ["git", "-C", str(place), "fast-import", "--quiet"],
        stdin=subprocess.PIPE,
        env=environment(),
    ) as child:
        stream = child.stdin
        assert stream is not None
        stream.write(b"commit refs/heads/main\n")
        stream.write(b"committer bench <bench@localhost> 1700000000 +0000\ndata 5\ntree\n\n")
        for item in items:
            stream.write(f"M {item.mode} inline {item.path}\n".encode())
            stream.write(b"data %d\n%s\n" % (len(item.data), item.data))
    assert child.returncode == 0, f"git fast-import: exit status {child.returncode}"


def _made_up(files: int) -> Iterator[Item]:
    chance = random.Random(5000)  # noqa: S311  (the same tree everywhere is the point)
    directories = [f"{_word(chance)}{n}" for n in range(files // 60)]
    for n in range(len(directories)):
        directories += [f"{directories[n]}/{_word(chance)}{m}" for m in range(chance.randrange(6))]
    for n in range(files):
        name = f"{_word(chance)}_{n}{chance.choice(_ENDINGS)}"
        lines = min(3000, max(3, int(chance.lognormvariate(4.6, 1.1))))
        text = "".join(_text_line(chance, number) for number in range(lines))
        yield Item(f"{chance.choice(directories)}/{name}", "100644", text.encode())


def _text_line(chance: random.Random, number: int) -> str:
    if chance.random() < 0.12:
        return "\n"
    words = " ".join(chance.choices(_WORDS, k=chance.randrange(2, 11)))
    return f"{'    ' * chance.randrange(4)}{words} {number % 17}\n"


def _word(chance: random.Random) -> str:
    return chance.choice(_WORDS)


def _kernel() -> Iterator[Item]:
    with (
        tempfile.TemporaryDirectory(dir=cache()) as room,
        tarfile.open(_kernel_archive(Path(room)), "r|*") as archive,
    ):
        for member in archive:
            path = member.name.partition("/")[2]
            if member.issym():
                yield Item(path, "120000", member.linkname.encode())
            elif member.isreg():
                mode = "100755" if member.mode & stat.S_IXUSR else "100644"
                content = archive.extractfile(member)
                assert content is not None
                yield Item(path, mode, content.read())


def _kernel_archive(room: Path) -> Path:
    installed = sorted(Path("/usr/src").glob("linux-source-*.tar.*"))
    if installed:
        return installed[-1]
    if shutil.which("apt-get") is None:
        raise FileNotFoundError("no /usr/src/linux-source-*.tar.* and no apt-get to fetch it with")
    name = _kernel_package()
    subprocess.run(["apt-get", "--quiet=2", "download", name], cwd=room, check=True)
    package = next(room.glob("*.deb"))
    subprocess.run(["dpkg-deb", "--extract", str(package), str(room)], check=True)
    return next((room / "usr/src").glob("linux-source-*.tar.*"))


def _kernel_package() -> str:
    """The versioned package that `linux-source` depends on."""
    said = subprocess.run(
        ["apt-cache", "depends", "linux-source"], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    found = [word for word in said.split() if word.startswith("linux-source-")]
    if not found:
        raise FileNotFoundError("apt knows no package linux-source")
    return found[0]
