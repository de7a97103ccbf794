"""Which language a text is in, and what SEARCH/REPLACE blocks become."""

from __future__ import annotations

import pytest

from slipstream_git import model
from slipstream_git.errors import SlipError
from slipstream_git.text import dialects, patches

BLOCK = b"src/a.py\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
REPLACED = model.StrReplace(path=b"src/a.py", old=b"old\n", new=b"new\n")


def blocks(text: bytes) -> tuple[model.Op, ...]:
    assert dialects.detect(text) == "blocks"
    return dialects.to_ops(text, "blocks")


def refused(text: bytes) -> SlipError:
    with pytest.raises(SlipError) as caught:
        dialects.to_ops(text, "blocks")
    assert caught.value.code == "bad-patch"
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (b"[]", "json"),
        (b'[{"op": "delete", "path": "x"}]', "json"),
        (b'\xef\xbb\xbf \n{"op": "read"}', "json"),
        (b'{"op": "read"}\n\n', "json"),
        (b'{\n"op": "read"}\n', "json"),
        (b'{"op": "read"}\n{"op": "read"}\n', "jsonl"),
        (b'{"op": "read"}\r\n{"op"', "jsonl"),
        (b"{bad}\n{}\n", "json"),
        (b"[\n*** Begin Patch\n", "json"),
        (b'{"content": "\ndiff --git a/x b/x\n"}', "json"),
        (b"{" * 5000 + b"\n{}", "json"),
        (b"diff --git a/x b/x\n", "diff"),
        (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n", "diff"),
        (b"From 0123 Mon Sep 17\nSubject: x\n\n---\n x | 2\n\ndiff --git a/x b/x\n", "diff"),
        (b"\xef\xbb\xbfdiff --git a/x b/x\n", "diff"),
        (b"*** Begin Patch\n*** Delete File: x\n*** End Patch\n", "v4a"),
        (b"Here you are:\n\n*** Begin Patch\n", "v4a"),
        (BLOCK, "blocks"),
        (BLOCK.replace(b"\n", b"\r\n"), "blocks"),
        (b"x\n<<<<< SEARCH\n", "blocks"),
        (b"x\n<<<<<<< SEARCH\n--- a/x\n+++ b/x\n=======\n>>>>>>> REPLACE\n", "blocks"),
    ],
)
def test_the_dialect_is_seen_from_the_text(text: bytes, dialect: str) -> None:
    assert dialects.detect(text) == dialect


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" \n\t",
        b"\xef\xbb\xbf",
        b"please fix it\nthanks\n",
        b"\xff\xfe[\0]\0",
        b"<<<< SEARCH\n",
    ],
)
def test_what_is_no_dialect_is_bad_json_in_one_line(text: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        dialects.detect(text)
    assert caught.value.code == "bad-json"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("dialect", ["diff", "v4a"])
def test_a_patch_text_is_one_op_as_it_stands(dialect: str) -> None:
    text = b"\xef\xbb\xbf--- a/x\r\n\0"
    assert dialects.to_ops(text, dialect) == (model.Patch(diff=text),)


@pytest.mark.parametrize("dialect", ["json", "yaml", ""])
def test_other_dialects_are_not_ours(dialect: str) -> None:
    with pytest.raises(SlipError) as caught:
        dialects.to_ops(b"", dialect)
    assert caught.value.code == "usage"


def test_a_block_is_a_literal_replacement_of_whole_lines() -> None:
    assert blocks(BLOCK) == (REPLACED,)


@pytest.mark.parametrize(
    "text",
    [
        b"src/a.py\n```python\n" + BLOCK.partition(b"\n")[2] + b"```\n",
        b"```\n" + BLOCK + b"```\n",
        b"I will change it.\n\n### `src/a.py`\n\n" + BLOCK.partition(b"\n")[2],
        b"**src/a.py**:\n" + BLOCK.partition(b"\n")[2],
        b"src/a.py:\n" + BLOCK.partition(b"\n")[2],
        BLOCK.replace(b"<<<<<<<", b"<<<<<").replace(b"=======", b"=========  "),
        BLOCK.removesuffix(b"\n"),
        b"\xef\xbb\xbf" + BLOCK,
    ],
)
def test_ways_in_which_models_print_the_same_block(text: bytes) -> None:
    assert blocks(text) == (REPLACED,)


def test_path_lines_keep_their_own_stars_and_underscores() -> None:
    for path in (b"__init__.py", b"a*b", b"*.c", b"with blank.py", b"app/[id]/page.tsx"):
        (op,) = blocks(BLOCK.replace(b"src/a.py", path))
        assert isinstance(op, model.StrReplace)
        assert op.path == path


def test_several_blocks_reuse_the_path_above() -> None:
    second = b"<<<<<<< SEARCH\nb\n=======\n>>>>>>> REPLACE\n"
    third = b"other.py\n" + second
    assert blocks(BLOCK + b"```\n\n```python\n" + second + b"```\n" + third) == (
        REPLACED,
        model.StrReplace(path=b"src/a.py", old=b"b\n", new=b""),
        model.StrReplace(path=b"other.py", old=b"b\n", new=b""),
    )


def test_an_empty_search_makes_a_new_file() -> None:
    text = b"new.py\n<<<<<<< SEARCH\n=======\nx = 1\n\n>>>>>>> REPLACE\n"
    assert blocks(text) == (model.Write(path=b"new.py", content=b"x = 1\n\n", create="only"),)


def test_content_is_bytes_as_they_stand() -> None:
    text = b"x\n<<<<<<< SEARCH\n\x0c\xe9\r\n\t \n=======\n\0\x85\n\n>>>>>>> REPLACE\n"
    assert blocks(text) == (
        model.StrReplace(path=b"x", old=b"\x0c\xe9\r\n\t \n", new=b"\0\x85\n\n"),
    )


def test_the_divider_is_the_one_of_the_marks_length() -> None:
    text = b"x.rst\n<<<<<<<<< SEARCH\nTitle\n=====\n=========\nTitle!\n======\n>>>>>>>>> REPLACE\n"
    assert blocks(text) == (
        model.StrReplace(path=b"x.rst", old=b"Title\n=====\n", new=b"Title!\n======\n"),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", 1),
        (b"prose only\n", 1),
        (b"<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", 1),
        (b"x\n<<<<<<< SEARCH\na\n=======\nb\n", 2),
        (b"x\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n", 2),
        (b"x\n<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE\n", 2),
        (b"x\n<<<<<<< SEARCH\na\n<<<<<<< SEARCH\n=======\nb\n>>>>>>> REPLACE\n", 4),
        (b"x\na\n=======\nb\n>>>>>>> REPLACE\n", 5),
        (BLOCK + b">>>>>>> REPLACE\n", 7),
    ],
)
def test_malformed_blocks_name_their_line(text: bytes, line: int) -> None:
    error = refused(text)
    assert error.data == {"line": line}
    assert f"line {line}:" in error.message


def test_what_a_patch_op_holds_is_what_the_patch_parser_reads() -> None:
    text = b"\xef\xbb\xbf*** Begin Patch\n*** Add File: x\n+a\n*** End Patch"
    (op,) = dialects.to_ops(text, dialects.detect(text))
    assert isinstance(op, model.Patch)
    assert [patch.new_path for patch in patches.parse(op.diff)] == [b"x"]
