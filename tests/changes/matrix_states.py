"""States of the path that lands: edited, staged, not tracked, something else than a file.

`@state(kinds)` names the kinds of change that a state makes sense for; the function's name, with
blanks, is the state's. matrix_surroundings.py has the states of all around the path.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from tests.changes.matrix import (
    ALL,
    LINES,
    MINE,
    TRACKED,
    UNTRACKED,
    Place,
    Unavailable,
    but,
    state,
)  # fmt: skip
from tests.lab import Lab, Script

# --- the path itself: edits -----------------------------------------------------------------------


@state(ALL)
def clean(place: Place) -> None:
    pass


@state(ALL)
def edits_elsewhere(place: Place) -> None:
    """What is not in the way, of every kind."""
    place.put("elsewhere, staged\n", "elsewhere")
    place.git("add", "elsewhere")
    place.put("elsewhere, and edited\n", "elsewhere")
    place.put(None, "README.md")
    place.put(MINE, "dir/mine")
    place.put(MINE, "ignored/mine")
    place.lab.common_dir.joinpath("info").mkdir(exist_ok=True)
    (place.lab.common_dir / "info/exclude").write_text("ignored\n")
    place.put(MINE, "intended")
    place.git("add", "--intent-to-add", "intended")
    (place.lab.path / "empty").mkdir()


@state(TRACKED)
def modified(place: Place) -> None:
    place.put(MINE)


@state(ALL)
def staged(place: Place) -> None:
    place.put(MINE)
    place.git("add", place.subject)


@state(ALL)
def staged_and_modified_again(place: Place) -> None:
    staged(place)
    place.put(MINE * 2)


@state(TRACKED)
def staged_and_put_back(place: Place) -> None:
    content = place.path.read_bytes()
    staged(place)
    place.put(content)


@state(TRACKED)
def edited_unseen(place: Place) -> None:
    """The size and times that the index noted, other bytes: git believes the stat data."""
    place.git("config", "core.trustctime", "false")
    before = place.path.stat()
    content = place.path.read_bytes()
    with place.path.open("r+b") as file:
        file.write(content[:-2] + b"!\n")
    os.utime(place.path, ns=(before.st_atime_ns, before.st_mtime_ns))


@state(TRACKED)
def touched(place: Place) -> None:
    os.utime(place.path, (1, 1))


@state(TRACKED)
def mode_flipped(place: Place) -> None:
    place.path.chmod(0o755)


@state(TRACKED)
def mode_flipped_where_modes_do_not_count(place: Place) -> None:
    place.git("config", "core.fileMode", "false")
    place.path.chmod(0o755)


@state(TRACKED)
def crlf_of_what_is_there(place: Place) -> None:
    place.lab.common_dir.joinpath("info").mkdir(exist_ok=True)
    (place.lab.common_dir / "info/attributes").write_text("* text=auto\n")
    place.put(place.path.read_bytes().replace(b"\n", b"\r\n"))


@state(but(ALL, "delete", "move from", "to symlink"))
def crlf_of_what_lands(place: Place) -> None:
    place.put_what_lands()
    place.lab.common_dir.joinpath("info").mkdir(exist_ok=True)
    (place.lab.common_dir / "info/attributes").write_text("* text=auto\n")
    for path, content in place.kind.lands.items():
        if content is not None:
            crlf = place.lab.read(path).replace(b"\n", b"\r\n")
            place.put(Script(crlf) if isinstance(content, Script) else crlf, path)


@state(ALL)
def equal_to_what_lands(place: Place) -> None:
    place.put_what_lands()


@state(ALL)
def equal_to_what_lands_and_staged(place: Place) -> None:
    place.git("add", "--all", "--", *place.put_what_lands())


@state(but(ALL, "delete"))
def other_content_where_it_lands(place: Place) -> None:
    place.put_what_lands()
    for path, content in place.kind.lands.items():
        if content is not None:
            place.put(MINE, path)


@state(("move from", "recase"))
def untracked_at_the_new_path(place: Place) -> None:
    for path, content in place.kind.lands.items():
        if content is not None:
            place.put(MINE, path)


@state(TRACKED)
def staged_mode(place: Place) -> None:
    place.git("update-index", "--chmod=+x", place.subject)


@state(but(ALL, "to directory", "from directory"))
def staged_what_lands_and_put_back(place: Place) -> None:
    before = {path: place.lab.read(path) for path in place.kind.lands if _stands(place, path)}
    equal_to_what_lands_and_staged(place)
    for path in place.kind.lands:
        place.put(before.get(path), path)


@state(but(ALL, "delete", "to directory"))
def staged_what_lands_and_modified(place: Place) -> None:
    equal_to_what_lands_and_staged(place)
    for path, content in place.kind.lands.items():
        if content is not None:
            place.put(MINE, path)


@state(("modify", "mode", "add", "move to"))
def equal_to_what_lands_but_staged_otherwise(place: Place) -> None:
    staged(place)
    place.put_what_lands()


def _stands(place: Place, path: str) -> bool:
    return os.path.lexists(place.lab.path / path)


@state(("modify", "mode"))
def captured(place: Place) -> None:
    place.put(_edited("line 20\n", "twenty\n"))
    place.desk.call("capture", paths=(place.subject,))
    place.own_landing = True


@state(("modify", "mode"))
def captured_and_edited_again(place: Place) -> None:
    captured(place)
    place.put(_edited("line 20\n", "two times ten\n"))


@state(UNTRACKED)
def captured_beside(place: Place) -> None:
    """An untracked file where nothing of the session's lands yet, taken in by name."""
    place.put(MINE, "dir/beside")
    place.desk.call("capture", paths=("dir/beside",))
    place.own_landing = True


def _edited(old: str, new: str) -> str:
    return LINES.replace(old, new)


# --- the path itself: not tracked -----------------------------------------------------------------


@state(UNTRACKED)
def untracked(place: Place) -> None:
    place.put(MINE)


@state(UNTRACKED)
def untracked_with_another_mode(place: Place) -> None:
    place.put_what_lands()
    for path, content in place.kind.lands.items():
        if content is not None:
            (place.lab.path / path).chmod(0o755)


@state(UNTRACKED)
def ignored(place: Place) -> None:
    place.put(MINE)
    _ignore(place)


@state(UNTRACKED)
def ignored_and_equal_to_what_lands(place: Place) -> None:
    place.put_what_lands()
    _ignore(place)


def _ignore(place: Place) -> None:
    place.lab.common_dir.joinpath("info").mkdir(exist_ok=True)
    (place.lab.common_dir / "info/exclude").write_text(f"/{place.subject}\n")


@state(UNTRACKED)
def intent_to_add(place: Place) -> None:
    place.put(MINE)
    place.git("add", "--intent-to-add", place.subject)


@state(("add", "move to"))
def intent_to_add_of_what_lands(place: Place) -> None:
    place.put_what_lands()
    place.git("add", "--intent-to-add", place.subject)


@state(ALL)
def an_untracked_neighbour(place: Place) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    (place.parent / "mine").write_text(MINE)


@state(TRACKED)
def removed_from_the_index(place: Place) -> None:
    place.git("rm", "--quiet", "--cached", place.subject)


@state(TRACKED)
def removed_from_the_index_and_modified(place: Place) -> None:
    removed_from_the_index(place)
    place.put(MINE)


@state(TRACKED)
def removed(place: Place) -> None:
    place.git("rm", "--quiet", place.subject)


@state(TRACKED)
def deleted(place: Place) -> None:
    place.put(None)


@state(TRACKED)
def renamed(place: Place) -> None:
    place.git("mv", place.subject, "renamed")


@state(TRACKED)
def renamed_without_telling_git(place: Place) -> None:
    place.path.rename(place.lab.path / "renamed")


@state(TRACKED)
def renamed_by_case(place: Place) -> None:
    place.git("config", "core.ignorecase", "true")
    place.path.rename(place.path.with_name(place.path.name.upper()))


@state(UNTRACKED)
def untracked_but_for_case(place: Place) -> None:
    place.git("config", "core.ignorecase", "true")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.path.with_name(place.path.name.upper()).write_text(MINE)


@state(ALL)
def case_ignored(place: Place) -> None:
    place.git("config", "core.ignorecase", "true")


# --- the path itself: something else --------------------------------------------------------------


@state(ALL)
def a_directory_with_files(place: Place) -> None:
    place.remove()
    place.put(MINE, place.subject + "/mine")


@state(ALL)
def a_directory_with_ignored_files(place: Place) -> None:
    a_directory_with_files(place)
    place.lab.common_dir.joinpath("info").mkdir(exist_ok=True)
    (place.lab.common_dir / "info/exclude").write_text("mine\n")


@state(ALL)
def an_empty_directory(place: Place) -> None:
    place.remove()
    (place.path / "deeper").mkdir(parents=True)


def _link(place: Place, target: str) -> None:
    place.remove()
    place.path.symlink_to(target)


@state(ALL)
def a_link_to_inside(place: Place) -> None:
    _link(place, str(place.lab.path / "elsewhere"))


@state(ALL)
def a_link_to_outside(place: Place) -> None:
    (place.outside / "file").write_text(LINES)
    _link(place, str(place.outside / "file"))


@state(ALL)
def a_link_to_a_directory_outside(place: Place) -> None:
    (place.outside / "inside").write_text(MINE)
    _link(place, str(place.outside))


@state(ALL)
def a_dangling_link(place: Place) -> None:
    _link(place, "nowhere")


@state(ALL)
def a_fifo(place: Place) -> None:
    place.remove()
    os.mkfifo(place.path)


@state(ALL)
def a_socket(place: Place) -> None:
    place.remove()
    try:
        os.mknod(place.path, stat.S_IFSOCK | 0o644)
    except OSError as fault:
        raise Unavailable(f"no socket can be made: {fault}") from None


@state(ALL)
def a_nested_repository(place: Place) -> None:
    place.remove()
    _repository_at(place.path)
    (place.path / "mine").write_text(MINE)


@state(ALL)
def a_submodule(place: Place) -> None:
    place.remove()
    head = _repository_at(place.path)
    place.git("update-index", "--force-remove", place.subject)
    place.git("update-index", "--add", "--cacheinfo", f"160000,{head},{place.subject}")
    (place.path / "mine").write_text(MINE)


def _repository_at(path: Path) -> str:
    lab = Lab(path)
    path.mkdir(parents=True)
    lab.git("init", "--quiet", "--template=")
    return lab.commit({"of-its-own": "of its own\n"})


@state(UNTRACKED)
def a_linked_worktree_in_the_way(place: Place) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.git("worktree", "add", "--quiet", "-b", "other", str(place.path), "main")
    (place.path / "mine").write_text(MINE)


@state(TRACKED)
def hard_linked(place: Place) -> None:
    os.link(place.path, place.outside / "linked")


@state(TRACKED)
def hard_linked_and_modified(place: Place) -> None:
    place.put(MINE)
    hard_linked(place)


@state(TRACKED)
def open_for_writing(place: Place) -> None:
    script = "import sys; held = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-S", "-c", script, str(place.path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    place.cleanup.enter_context(process)
    assert process.stdout is not None
    process.stdout.readline()
