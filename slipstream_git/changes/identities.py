"""Author and committer where git's answer is certain without asking git: see `plain`.

ident.c of git takes a name from the environment, else ``author.name``, else ``user.name``, and the
same for the address; strips what it calls crud from both ends; and dates it now, in the local zone,
where no date is given. Whatever is not that plain is None here, and git's to say: a name that is
missing, empty or has any crud, a configuration that git may refuse, a date in any other form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from slipstream_git.gitdb.repository import Config
from slipstream_git.workspace import Workspace

AUTHOR, COMMITTER = "AUTHOR", "COMMITTER"
ROLES = (AUTHOR, COMMITTER)
# Begins and ends with what no git strips (some strip a dot, some do not), and keeps all between.
_PLAIN = re.compile(r"[^\x00-\x20\x7f.,:;<>\"\\']([^\x00-\x1f\x7f<>]*[^\x00-\x20\x7f.,:;<>\"\\'])?")
# Seconds that cannot be taken for 20260102, and a zone there is. -0000 is printed as +0000.
_DATE = re.compile(r"@?(([1-9][0-9]{8,9}) (?!-0000)[+-](?:0[0-9]|1[0-4])[0-5][0-9])")
_YEAR_2099 = 4_070_908_800  # later ones git reads in some forms only


def plain(ws: Workspace, role: str, env: Mapping[str, str]) -> bytes | None:
    """The ident of a role as a commit has it; None where git has to be asked.

    env: over the caller's environment.
    """
    said = {**ws.env, **env}
    config = ws.repository.config
    name = _field(said.get(f"GIT_{role}_NAME"), config, role, "name")
    email = _field(said.get(f"GIT_{role}_EMAIL"), config, role, "email")
    date = _date(ws, said.get(f"GIT_{role}_DATE"))
    if name is None or email is None or date is None:
        return None
    return f"{name} <{email}> {date}".encode("utf-8", "surrogateescape")


def _field(given: str | None, config: Config, role: str, field: str) -> str | None:
    if given is None:
        given = config.get(f"{role}.{field}") or config.get(f"user.{field}") or ""
        if given == "true":
            return None  # or a key without a value, which git refuses
    return given if _PLAIN.fullmatch(given) else None


def _date(ws: Workspace, given: str | None) -> str | None:
    if given:
        found = _DATE.fullmatch(given)
        return found[1] if found and int(found[2]) < _YEAR_2099 else None
    now = ws.clock()
    minutes = ws.zone(now)
    if minutes is None:
        return None
    hours, rest = divmod(abs(minutes), 60)
    return f"{now} {'-' if minutes < 0 else '+'}{hours:02}{rest:02}"
