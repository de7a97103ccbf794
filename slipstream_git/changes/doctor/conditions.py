"""What the repository asks of a landing: hooks, signatures, filters."""

from __future__ import annotations

import os
import re
import shutil

from slipstream_git import hints
from slipstream_git.changes import hooks as landing_hooks
from slipstream_git.changes.doctor.findings import FAIL, WARN, Finding, all_of, some
from slipstream_git.workspace import Workspace

HOOKS = (*landing_hooks.BEFORE, landing_hooks.AFTER, landing_hooks.REFS)
PROGRAMS = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}
INSTALLERS = (
    "sudo apt-get install git-lfs",
    "sudo dnf install git-lfs",
    "brew install git-lfs",
)
BUILT_IN_DRIVERS = ("text", "binary", "union")
_ATTRIBUTE = re.compile(r"(?<!\S)(filter|merge)=(\S+)")


def hooks(ws: Workspace) -> Finding:
    """Which hooks would run on a landing, and which look as if they would and do not."""
    directory = ws.repository.layout.hooks_dir
    if ws.repository.config.get("core.hookspath") and not os.path.isdir(directory):
        said = f"core.hooksPath names {directory}, which is not there"
        return Finding(said, WARN, hints.of("mkdir", "-p", directory))
    runs = [name for name in HOOKS if landing_hooks.exists(ws.repository, name)]
    ignored = [
        name for name in HOOKS if name not in runs and os.path.isfile(os.path.join(directory, name))
    ]
    if ignored:
        paths = [os.path.join(directory, name) for name in ignored]
        said = f"git ignores {', '.join(ignored)}: not executable"
        return Finding(said, WARN, hints.of("chmod", "+x", *paths))
    return Finding(f"on a landing: {', '.join(runs)}" if runs else "none")


def signing(ws: Workspace) -> Finding:
    """Whether commits are to be signed, and could be."""
    config = ws.repository.config
    if not config.flag("commit.gpgsign"):
        return Finding("commits are not signed")
    form = config.get("gpg.format") or "openpgp"
    fix = "git config commit.gpgsign false"
    if form not in PROGRAMS:
        return Finding(f"gpg.format is {form!r}, which git does not know", FAIL, fix)
    program = config.get(f"gpg.{form}.program")
    if form == "openpgp":
        program = program or config.get("gpg.program")
    program = program or PROGRAMS[form]
    if not _is_there(ws, program):
        return Finding(f"commits are to be signed by {program}, which is not there", FAIL, fix)
    asked = config.get("user.signingkey") or config.get("gpg.ssh.defaultkeycommand")
    if form == "ssh" and not asked:
        return Finding("commits are to be signed by ssh, and user.signingKey is not set", FAIL, fix)
    return Finding(f"commits are signed by {program}")


def _is_there(ws: Workspace, program: str) -> bool:
    home = ws.env.get("HOME", "")
    path = home + program[1:] if program.startswith("~/") else program
    return shutil.which(path, path=ws.env.get("PATH")) is not None


def lfs(ws: Workspace) -> Finding:
    """Whether files that live in LFS can be had: the program, and its filter configured."""
    if "lfs" not in _named(ws, "filter"):
        return Finding("not used")
    done = ws.repository.git.run("lfs", "version", accept=range(256))
    if done.status:
        said = "the attributes name LFS, and git-lfs is not installed: https://git-lfs.com"
        installers = (line for line in INSTALLERS if _is_there(ws, line.split()[-3]))
        return Finding(said, FAIL, next(installers, None))
    if not ws.repository.config.below("filter.lfs"):
        said = "the attributes name LFS, and its filter is not configured"
        return Finding(said, FAIL, "git lfs install --local")
    return Finding(done.out.decode("utf-8", "replace").strip())


def attributes(ws: Workspace) -> Finding:
    """Filters and merge drivers that the attributes name and nobody has configured."""
    config = ws.repository.config
    filters = sorted(_named(ws, "filter") - {"lfs"})
    drivers = sorted(_named(ws, "merge") - set(BUILT_IN_DRIVERS))
    found = [_no_filter(name) for name in filters if not config.below(f"filter.{name}")]
    found += [_no_driver(name) for name in drivers if config.get(f"merge.{name}.driver") is None]
    return all_of(found, f"named: {some([*filters, *drivers])}" if filters or drivers else "plain")


def _no_filter(name: str) -> Finding:
    """Git lets files through such a filter as they are; the fix says the same in so many words."""
    clean, smudge = (
        hints.of("git", "config", f"filter.{name}.{way}", "cat") for way in ("clean", "smudge")
    )
    return Finding(
        f"the filter {name} is not configured: its files stand as stored", WARN, clean.then(smudge)
    )


def _no_driver(name: str) -> Finding:
    """Git merges as text then, which the fix says in so many words."""
    driver = "git merge-file --marker-size=%L %A %O %B"
    fix = hints.of("git", "config", f"merge.{name}.driver", driver)
    return Finding(f"the merge driver {name} is not configured: merged as text", WARN, fix)


def _named(ws: Workspace, kind: str) -> set[str]:
    """The filters or merge drivers that the attributes of HEAD or of this repository name."""
    repository = ws.repository
    text = ""
    _, head = repository.head()
    if head is not None:
        where = (head, "--", ":(glob,top)**/.gitattributes")
        done = repository.git.run("grep", "-I", "-h", "-E", f"{kind}=", *where, accept=(0, 1))
        text = done.out.decode("utf-8", "replace")
    path = os.path.join(repository.layout.common_dir, "info", "attributes")
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as stream:
            text += stream.read()
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    return {value for line in lines for what, value in _ATTRIBUTE.findall(line) if what == kind}
