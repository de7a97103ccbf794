"""The table of operations: one row each, made from a handler's signature and docstring.

A signature is the schema, its docstring the help, so that the command line, JSON-RPC, MCP and the
generated reference cannot disagree. Rows are read without `inspect` (8 ms), from what the
compiler left on the function: a parameter before ``*`` is positional, one behind it an option,
and its annotation is one of the texts in `TYPES`. The docstring's last paragraph explains the
parameters, one ``name (short, METAVAR): help`` a line; what several operations share is in
`SHARED`.

Area modules are imported only when one of their operations is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from slipstream_git.records import NamedTuple

# Which module declares which operation; a test holds this against the modules.
AREAS: Mapping[str, tuple[str, ...]] = {
    "changesets": (
        "begin", "apply", "sub", "write", "rm", "mv", "undo", "redo", "capture", "flush", "commit",
        "exec", "abort", "reopen",
    ),
    "inspection": ("status", "list", "read", "diff", "log", "show", "why"),
    "reading": ("files", "map", "symbol", "lines", "search", "refs"),
    "memory": ("remember", "recall", "facts", "forget", "purge", "digest", "resume"),
    "series": ("split",),
    "concurrency": ("conflicts", "rebase", "resolve", "land", "adopt"),
    "worktrees": ("run", "worktree"),
    "gates": ("check",),
    "sharing": ("push", "pull", "bundle", "unbundle"),
    "repositories": ("merge-tree", "recover", "gc", "doctor", "demo"),
    "skills": ("skills",),
    "serving": ("serve", "mcp"),
    "hosts": ("setup", "hook", "statusline"),
}  # fmt: skip

# What each area is for, and the page that tells of it.
TITLES: Mapping[str, tuple[str, str]] = {
    "changesets": ("Change sets", "README.md"),
    "inspection": ("What sessions hold, and where they stand", "README.md"),
    "reading": ("Reading a tree: a session's, a revision's, the working tree's", "docs/reading.md"),
    "memory": ("What was learned, and where one stopped", "docs/memory.md"),
    "series": ("Several commits of one session", "docs/series.md"),
    "concurrency": ("Many sessions at once", "docs/conflicts.md"),
    "worktrees": ("Commands and worktrees for a session", "docs/files.md"),
    "gates": ("Gates: what a change is judged by", "docs/gates.md"),
    "sharing": ("Other machines, through any git server or a file", "docs/sharing.md"),
    "repositories": ("Upkeep", "docs/safety.md"),
    "skills": ("Skills: steps with gates, for agents and people", "docs/skills.md"),
    "serving": ("For agents and many clients, and to be quicker", "docs/serve.md"),
    "hosts": ("Agents' hosts", "docs/hosts.md"),
}


class Kind(NamedTuple):
    """What a parameter takes. ``many``: any number of them. ``optional``: may be left out.

    stored: a named file is a regular one; at a pipe one would wait for whoever writes there.
    """

    value: str
    many: bool = False
    optional: bool = False
    stored: bool = False


TYPES: Mapping[str, Kind] = {
    "str": Kind("text"),
    "str | None": Kind("text", optional=True),
    "int": Kind("number"),
    "int | None": Kind("number", optional=True),
    "bool": Kind("flag"),
    "bool | None": Kind("switch", optional=True),
    "tuple[str, ...]": Kind("text", many=True, optional=True),
    "Several": Kind("text", many=True),
    # Bytes that the command line takes from a named file or from standard input.
    "FileOrStdin | None": Kind("file", optional=True),
    "StoredOrStdin | None": Kind("file", optional=True, stored=True),
    # The same, or the JSON text itself.
    "Batch | None": Kind("batch", optional=True),
    "Stdin": Kind("stdin"),
}

SHARED: Mapping[str, str] = {
    "session": "(-s, NAME): the session; else $SLIP_SESSION, else the one whose own worktree this"
    " is, else the only one begun from here",
    "group": "(LABEL): the commit of a series that this step belongs to",
    "agent": "(WHO): who is at work, for status and provenance",
    "base": "(REV): the commit to start from (default: HEAD)",
    "onto": "(BRANCH): the branch to land on, which may not exist yet (default: the session's; at"
    " begin the current one)",
    "title": "(TEXT): what the session is for",
    "allow": "(GLOB): refuse every path outside these patterns",
    "deny": "(GLOB): refuse every path inside these patterns",
    "allow_protected": "(GLOB): let the session change these paths, though .slip.toml of the branch"
    " protects them",
    "message": "(-m, TEXT): the commit message; several make paragraphs",
    "message_file": "(-F, FILE): take the message from a file, or - for standard input",
    "author": "(AUTHOR): the author, as `Name <email>`",
    "date": "(DATE): the author date, as git reads dates",
    "committer_date_is_author_date": ": commit at the author's date, so that the same --date gives"
    " the same id at any time",
    "trailer": "(KEY=VALUE): add a trailer to the message",
    "signoff": ": add a Signed-off-by trailer",
    "check": ": refuse where .slip.toml defines no gate, or land without any (default: run those"
    " that are defined)",
    "sign": ": sign the commit, or do not (default: as commit.gpgSign says)",
    "no_verify": ": do not run the pre-commit and commit-msg hooks",
    "no_checkout": ": move refs only; leave worktrees as they are",
    "keep": ": leave the session open after landing",
    "no_sync": ": do not wait until the commit survives a power cut",
    "push": "(REMOTE): land on the branch of this remote, by compare-and-swap there: fetch, merge,"
    " push, and again where it has moved; the branch here follows",
    "merge": ": land as a merge commit whose second parent is the session's chain",
    "series": ": land one commit for each --group label, steps without one last; a commit's subject"
    " is its label, the message its body",
    "each": ": with --series, run the gates on every commit of it (default: on the last)",
    "bot_branch": "(WAY): the branch is a bot's, made anew from the base; what people have put on"
    " it is kept on top (rebase) or refuses the landing (refuse)",
    "depth": "(N): where parts are directories, of how many levels (default: 1)",
    "label": "(TEXT): each part's label, with {} where its name goes (default: the name alone)",
    "rev": "(REV): read this revision instead",
    "untracked": ": in the working tree, take untracked files too (never ignored ones)",
    "tokens": "(N): how much to tell, at 3.6 bytes a token; 0 for everything",
    "after": "(CURSOR): go on where an answer ended: what it gave as `next`",
    "globs": "(GLOB): which files: *.py is at any depth, src/** below src, !x leaves x out"
    " (default: all)",
    "max": "(N): show at most so many lines (default: 200)",
    "dry_run": ": show what would happen; change nothing",
}
# What an operation may do, by which servers and agents' hosts tell whom they let ask for it, beside
# whom, and in whose process.
READS = "reads"  # objects and refs, and files of the working tree where that is meant
LOOKS = "looks"  # the same, at what is merged and checked out, too
STAGES = "stages"  # moves refs of slip's own, quickly, and starts nothing of the user's
ACTS = "acts"  # anything: hooks, commands, branches, files
ALONE = "alone"  # has the process, its terminal and its directory to itself

# What a handler is given first: a repository to work in, the caller's environment, the ground that
# the caller stands on (which need be no repository), or the face that the operation starts.
CONTEXTS = ("ws", "env", "ground", "face")

FileOrStdin = bytes
StoredOrStdin = bytes
Batch = bytes
Stdin = bytes
Several = tuple[str, ...]


class Parameter(NamedTuple):
    """One argument or option. ``short`` is empty or like ``-m``."""

    name: str
    kind: Kind
    positional: bool
    default: object
    short: str
    metavar: str
    help: str

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def in_usage(self) -> str:
        """An argument as a command's usage has it; a command of the user's goes behind ``--``."""
        behind = "-- " if self.is_command else ""
        return f"{behind}{self.metavar}" + ("…" if self.kind.many else "")

    @property
    def is_command(self) -> bool:
        """Whether these words are a command of the user's, with options of its own."""
        return self.positional and self.metavar == "CMD"

    @property
    def negative(self) -> str:
        """The spelling that turns a switch off."""
        return "--no-" + self.name.replace("_", "-")


class Operation(NamedTuple):
    """One row of the table. ``handler(context, **parameters)`` returns a result tuple.

    context: which of `CONTEXTS` the first argument is. effect: what it may do, of those above.
    """

    name: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    handler: Callable[..., Any]
    context: str
    effect: str = ACTS

    @property
    def is_reading(self) -> bool:
        return self.effect in (READS, LOOKS)


_DECLARED: dict[str, tuple[Callable[..., Any], str]] = {}


def operation(effect: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a handler; its name, with dashes, is the operation's."""

    def declared(handler: Callable[..., Any]) -> Callable[..., Any]:
        _DECLARED[handler.__name__.strip("_").replace("_", "-")] = handler, effect
        return handler

    return declared


def names() -> tuple[str, ...]:
    """Every operation, in the order of the table."""
    return tuple(name for area in AREAS.values() for name in area)


def find(name: str) -> Operation | None:
    """The row of an operation, None for an unknown name."""
    declaring = area(name)
    if declaring is None:
        return None
    import_module(f"slipstream_git.operations.{declaring}")
    return _row(name, *_DECLARED[name])


def area(name: str) -> str | None:
    """The module below `operations` that declares an operation."""
    return next((area for area, declared in AREAS.items() if name in declared), None)


def _row(name: str, handler: Callable[..., Any], effect: str) -> Operation:
    text = handler.__doc__ or ""
    paragraphs = [_unwrapped(block) for block in text.strip().split("\n\n")]
    helps = dict(SHARED)
    if len(paragraphs) > 1 and ": " in text.strip().split("\n\n")[-1].split("\n")[0]:
        helps |= _helps(text.strip().split("\n\n")[-1])
        paragraphs.pop()
    code = handler.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    parameters = tuple(
        _parameter(handler, parameter, helps)
        for parameter in code.co_varnames[:count]
        if parameter not in CONTEXTS
    )
    description = "\n\n".join(paragraphs[1:])
    context = code.co_varnames[0]
    summary = paragraphs[0].rstrip(".")
    return Operation(name, summary, description, parameters, handler, context, effect)


def _unwrapped(block: str) -> str:
    return " ".join(block.split())


def _helps(block: str) -> dict[str, str]:
    """``name (…): help`` lines; a line indented deeper goes on with the one before."""
    found: dict[str, str] = {}
    margin = min(len(line) - len(line.lstrip()) for line in block.split("\n") if line.strip()[:1])
    last = ""
    for line in block.split("\n"):
        if last and len(line) - len(line.lstrip()) > margin:
            found[last] += " " + line.strip()
        else:
            last, rest = _split_name(line.strip())
            found[last] = rest
    return found


def _split_name(line: str) -> tuple[str, str]:
    cut = min(i for i in (line.find(" ("), line.find(":")) if i >= 0)
    return line[:cut], line[cut:].strip()


def _parameter(handler: Callable[..., Any], name: str, helps: Mapping[str, str]) -> Parameter:
    code = handler.__code__
    position = code.co_varnames.index(name)
    defaults = handler.__defaults__ or ()
    positional = position < code.co_argcount
    if positional:
        offset = position - (code.co_argcount - len(defaults))
        default = defaults[offset] if offset >= 0 else ...
    else:
        default = (handler.__kwdefaults__ or {}).get(name, ...)
    kind = TYPES[handler.__annotations__[name]]
    short, metavar, text = _explained(helps.get(name, ""))
    return Parameter(name, kind, positional, default, short, metavar or name.upper(), text)


def _explained(text: str) -> tuple[str, str, str]:
    """``(-s, NAME): help`` as short option, metavar, help."""
    facts, _, help_text = text.partition("):" if text.startswith("(") else ":")
    words = [word for word in facts.strip(" ()").split(", ") if word]
    short = next((word for word in words if word.startswith("-")), "")
    metavar = next((word for word in words if not word.startswith("-")), "")
    return short, metavar, help_text.strip()
