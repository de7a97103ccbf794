"""Which paths a sparse checkout leaves out, asked of git.

git 2.39 has no `sparse-checkout check-rules`. So an index that holds just these paths is read
again from its own tree, with `read-tree -m -u`: that marks skip-worktree what the patterns leave
out, in cone mode or not, and finds nothing to check out, so no file and no filter comes into it.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from slipstream_git.gitdb.process import Git

_SOME_BLOB = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def left_out(git: Git, git_dir: str, paths: Collection[bytes]) -> set[bytes]:
    """Those of ``paths`` that the sparse checkout of the worktree with ``git_dir`` leaves out.

    None of the paths may be a directory of another. Nothing of the repository is changed.
    """
    if not paths:
        return set()
    import tempfile  # a cold start does not pay for it

    with tempfile.TemporaryDirectory(prefix="slip-sparse-") as directory:
        work, objects = os.path.join(directory, "work"), os.path.join(directory, "objects")
        os.mkdir(work)
        os.mkdir(objects)
        env = {
            "GIT_INDEX_FILE": os.path.join(directory, "index"),
            # The tree is needed for a moment only; its blobs need not exist.
            "GIT_OBJECT_DIRECTORY": objects,
        }
        private = git.at(work, git_dir).setting("core.splitIndex=false")
        lines = b"".join(b"100644 %s\t%s\0" % (_SOME_BLOB, path) for path in paths)
        private.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        tree = private.run("write-tree", "--missing-ok", env=env).out.decode().strip()
        private.run("read-tree", "-m", "-u", tree, env=env)
        listed = private.run("ls-files", "-v", "-z", env=env).out
    rows = (record.partition(b" ") for record in listed.split(b"\0") if record)
    return {path for tag, _, path in rows if tag == b"S"}
