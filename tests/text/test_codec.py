"""The gate for ops: every field, every alias, every fault of shape, and the way back."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_git import model
from slipstream_git.codec import decode_batch, decode_ops, dumps, encode_op, to_json
from slipstream_git.errors import SlipError
from slipstream_git.text import batches

OID = "0123456789abcdef0123456789abcdef01234567"
Json = dict[str, Any]

WHOLE: list[tuple[Json, model.Op]] = [
    (
        {"op": "str_replace", "path": "f", "old": "a", "new": "b", "count": "all",
         "near_line": 3, "oid": OID},
        model.StrReplace(b"f", b"a", b"b", "all", 3, OID),
    ),
    (
        {"op": "sub", "globs": ["*.py"], "pattern": "a", "replacement": "", "regex": True,
         "word": True, "ignore_case": True, "expect": 0},
        model.Sub(("*.py",), b"a", b"", regex=True, word=True, ignore_case=True, expect=0),
    ),
    (
        {"op": "write", "path": "f", "content": "", "mode": "100755", "create": "never",
         "oid": OID},
        model.Write(b"f", b"", 0o100755, "never", OID),
    ),
    ({"op": "insert", "path": "f", "text": "x", "after_line": 0}, model.Insert(b"f", b"x", 0)),
    ({"op": "insert", "path": "f", "text": "x", "before": "y"},
     model.Insert(b"f", b"x", before=b"y")),
    (
        {"op": "replace_lines", "path": "f", "start": 1, "end": 2, "text": "", "oid": OID},
        model.ReplaceLines(b"f", 1, 2, b"", OID),
    ),
    ({"op": "delete", "path": "f"}, model.Delete(b"f")),
    ({"op": "move", "path": "f", "to": "g"}, model.Move(b"f", b"g")),
    ({"op": "copy", "path": "f", "to": "g", "oid": OID}, model.Copy(b"f", b"g", OID)),
    ({"op": "chmod", "path": "f", "mode": "100644"}, model.Chmod(b"f", 0o100644)),
    ({"op": "symlink", "path": "f", "target": "g"}, model.Symlink(b"f", b"g")),
    ({"op": "patch", "diff": "--- a\n"}, model.Patch(b"--- a\n")),
    ({"op": "read", "path": "f", "start": 1, "end": 2}, model.Read(b"f", 1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "op"), WHOLE, ids=lambda value: type(value).__name__)
def test_every_op_both_ways(row: Json, op: model.Op) -> None:
    assert decode_ops([row]) == (op,)
    assert encode_op(op) == row


@pytest.mark.parametrize(
    "row",
    [
        {"method": "file.str_replace", "path": "f", "old": "a", "new": "b"},
        {"op": "str_replace", "file": "f", "old_str": "a", "new_str": "b"},
        {"op": "str_replace", "file_path": "f", "old_string": "a", "new_string": "b"},
        {"op": "str_replace", "path_b64": b64encode(b"f").decode(), "old": "a", "new": "b"},
        {"op": "str_replace", "path": "f", "old": "a", "new": "b", "replace_all": False},
    ],
)
def test_aliases(row: Json) -> None:
    assert decode_ops([row]) == (model.StrReplace(b"f", b"a", b"b"),)


def test_replace_all_is_a_count() -> None:
    row = {"op": "str_replace", "path": "f", "old": "a", "new": "b", "replace_all": True}
    assert decode_ops([row]) == (model.StrReplace(b"f", b"a", b"b", "all"),)
    assert fault({**row, "count": "all"}) is None
    assert fault({**row, "count": 2}) == "$.ops[0].count"


def fault(row: object) -> str | None:
    """Where one op is wrong; it is `bad-op` then, exit status 2."""
    refusal = refused([row])
    if refusal is None:
        return None
    assert (refusal.code, refusal.exit_status) == ("bad-op", 2)
    listed: Any = refusal.data["ops"]
    assert [(r["index"], r["code"]) for r in listed] == [(0, "bad-op")]
    return str(listed[0]["place"])


def refused(rows: list[object]) -> SlipError | None:
    try:
        decode_ops(rows)
    except SlipError as refusal:
        return refusal
    return None


SR: Json = {"op": "str_replace", "path": "f", "old": "a", "new": "b"}


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({}, "$.ops[0]"),
        ([], "$.ops[0]"),
        ("delete", "$.ops[0]"),
        (None, "$.ops[0]"),
        ({"op": "replace"}, "$.ops[0].op"),
        ({"op": 3}, "$.ops[0].op"),
        ({"op": "delete"}, "$.ops[0]"),
        ({"op": "delete", "path": 3}, "$.ops[0].path"),
        ({"op": "delete", "path": None}, "$.ops[0].path"),
        ({"op": "delete", "path": "f", "file": "g"}, "$.ops[0].file"),
        ({"op": "delete", "path": "f", "path_b64": "Zg=="}, "$.ops[0].path_b64"),
        ({"op": "delete", "path_b64": "Z"}, "$.ops[0].path_b64"),
        ({"op": "delete", "path": "f", "oid": "abc"}, "$.ops[0].oid"),
        ({"op": "delete", "path": "f", "oid": OID.upper()}, "$.ops[0].oid"),
        ({"op": "delete", "path": "\ud800"}, "$.ops[0].path"),
        ({**SR, "old": ""}, "$.ops[0].old"),
        ({**SR, "new": "a"}, "$.ops[0].new"),
        ({**SR, "count": 0}, "$.ops[0].count"),
        ({**SR, "count": True}, "$.ops[0].count"),
        ({**SR, "count": 1.0}, "$.ops[0].count"),
        ({**SR, "count": "two"}, "$.ops[0].count"),
        ({**SR, "count": None}, "$.ops[0].count"),
        ({**SR, "near_line": 0}, "$.ops[0].near_line"),
        ({**SR, "near_line": False}, "$.ops[0].near_line"),
        ({**SR, "replace_all": 1}, "$.ops[0].replace_all"),
        ({**SR, "colour": "red"}, "$.ops[0].colour"),
        ({"op": "chmod", "path": "f", "mode": "100600"}, "$.ops[0].mode"),
        ({"op": "chmod", "path": "f", "mode": 0o100644}, "$.ops[0].mode"),
        ({"op": "write", "path": "f", "content": "", "create": "maybe"}, "$.ops[0].create"),
        ({"op": "insert", "path": "f", "text": "x"}, "$.ops[0]"),
        ({"op": "insert", "path": "f", "text": "x", "after_line": 1, "after": "y"}, "$.ops[0]"),
        ({"op": "insert", "path": "f", "text": "x", "after": ""}, "$.ops[0]"),
        ({"op": "insert", "path": "f", "text": "x", "after_line": -1}, "$.ops[0].after_line"),
        ({"op": "replace_lines", "path": "f", "start": 1, "end": 1, "text": ""}, "$.ops[0]"),
        ({"op": "read", "path": "f", "start": 3, "end": 2}, "$.ops[0].end"),
        ({"op": "move", "path": "f", "to": "f"}, "$.ops[0].to"),
        ({"op": "sub", "globs": "*.py", "pattern": "a", "replacement": ""}, "$.ops[0].globs"),
        ({"op": "sub", "globs": [], "pattern": "", "replacement": ""}, "$.ops[0].pattern"),
        ({"op": "sub", "globs": [], "pattern": "a", "replacement": "", "expect": -1},
         "$.ops[0].expect"),
    ],
)  # fmt: skip
def test_faults_of_shape(row: object, place: str) -> None:
    assert fault(row) == place


@pytest.mark.parametrize(
    ("field", "meant"),
    [("old_txt", "old_str"), ("new_strin", "new_string"), ("pth", "path"), ("cuont", "count")],
)
def test_an_unknown_field_is_refused_with_the_nearest_known_name(field: str, meant: str) -> None:
    with pytest.raises(SlipError, match=f"`{meant}`"):
        decode_ops([{**SR, field: "x"}])


def test_all_faults_are_listed_with_their_ops() -> None:
    with pytest.raises(SlipError) as caught:
        decode_ops([{**SR, "count": 0}, SR, {"op": "nothing", "path": "g"}])
    listed: Any = caught.value.data["ops"]
    assert [(row["index"], row.get("op"), row["path"]) for row in listed] == [
        (0, "str_replace", "f"),
        (2, "nothing", "g"),
    ]


# --- the batch text -------------------------------------------------------------------------------


def test_a_batch_is_a_list_an_op_or_lines() -> None:
    op = model.Delete(b"f")
    one = b'{"op":"delete","path":"f"}'
    assert decode_batch(one) == (op,)
    assert decode_batch(b"[" + one + b"]") == (op,)
    assert decode_batch(one + b"\n" + one + b"\n") == (op, op)
    assert decode_batch(one + b"\r\n\r\n" + one) == (op, op)
    assert decode_batch(b'{"ops":[' + one + b"]}") == (op,)
    assert decode_batch(b"\xef\xbb\xbf[" + one + b"]") == (op,)
    assert decode_batch(b"[]") == ()


@pytest.mark.parametrize(
    "text",
    [
        b"", b" \n", b"[", b"[1,]", b'{"op":"delete","path":"f","path":"g"}', b"[NaN]",
        b"[Infinity]", b"\xff", "[]".encode("utf-16"), b"[" * 100_000,
        b'{"op":"delete","path":"f"}\n{"op":\n',
    ],
)  # fmt: skip
def test_what_is_not_json(text: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        decode_batch(text)
    assert (caught.value.code, caught.value.exit_status) == ("bad-json", 2)


@pytest.mark.parametrize("text", [b"3", b'"x"', b"null", b"true"])
def test_json_that_is_no_batch(text: bytes) -> None:
    with pytest.raises(SlipError) as caught:
        decode_batch(text)
    assert caught.value.code == "bad-op"


def test_half_of_a_surrogate_pair_is_refused_and_a_whole_one_is_not() -> None:
    assert fault({"op": "delete", "path": "\udc00"}) == "$.ops[0].path"
    assert decode_batch(b'{"op":"delete","path":"\\ud83d\\ude00"}') == (
        model.Delete("\U0001f600".encode()),
    )
    with pytest.raises(SlipError):
        decode_batch(b'{"op":"delete","path":"\\ud83d"}')


def test_json_is_read_strictly() -> None:
    for text in (b'{"op": "read", "path": "a", "path": "b"}', b'{"op": "read", "path": NaN}'):
        with pytest.raises(SlipError) as caught:
            decode_batch(text)
        assert caught.value.code == "bad-json"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n", model.Patch),
        (b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", model.Patch),
        (b"*** Begin Patch\n*** Delete File: f\n*** End Patch\n", model.Patch),
        (b"f\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", model.StrReplace),
        (b'[{"op":"delete","path":"f"}]', model.Delete),
        (b'{"op":"delete","path":"f"}\n{"op":"delete","path":"g"}', model.Delete),
    ],
)
def test_formats_are_told_apart_by_content(text: bytes, kind: type) -> None:
    assert isinstance(batches.decode(text, "auto")[0], kind)


def test_an_unknown_format_is_asked_wrongly() -> None:
    with pytest.raises(SlipError) as caught:
        batches.decode(b"[]", "xml")
    assert caught.value.code == "usage"


# --- there and back -------------------------------------------------------------------------------

BYTES = st.binary(min_size=1, max_size=6) | st.sampled_from([b"a\r\n", b"\xff", "é".encode()])
OIDS = st.none() | st.just(OID)
OPS: st.SearchStrategy[model.Op] = st.one_of(
    st.builds(
        model.StrReplace,
        BYTES,
        BYTES.map(lambda text: text + b"<"),
        BYTES.map(lambda text: text + b">"),
        st.integers(1, 9) | st.just("all"),
        st.none() | st.integers(1, 99),
        OIDS,
    ),
    st.builds(
        model.Sub, st.lists(st.text("ab*", min_size=1)).map(tuple), BYTES, st.binary(max_size=4),
        st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(0, 9),
    ),
    st.builds(model.Write, BYTES, st.binary(max_size=9), st.sampled_from([None, 0o100755]),
              st.sampled_from(["ok", "only", "never"]), OIDS),
    st.builds(model.Insert, BYTES, st.binary(max_size=9), st.integers(0, 9), st.none(), st.none(),
              OIDS),
    st.builds(model.Insert, BYTES, st.binary(max_size=9), st.none(), BYTES, st.none(), OIDS),
    st.builds(model.Delete, BYTES, OIDS),
    st.builds(model.Chmod, BYTES, st.sampled_from([0o100644, 0o100755]), OIDS),
    st.builds(model.Symlink, BYTES, BYTES, OIDS),
    st.builds(model.Patch, st.binary(max_size=9), OIDS),
)  # fmt: skip


@given(st.lists(OPS, max_size=4))
def test_what_is_encoded_decodes_to_the_same_op(ops: list[model.Op]) -> None:
    text = dumps([encode_op(op) for op in ops]).encode()
    assert decode_batch(text) == tuple(ops)
    lines = b"\n".join(dumps(encode_op(op)).encode() for op in ops)
    assert (decode_batch(lines) if ops else ()) == tuple(ops)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_any_json_is_an_op_or_a_fault_of_shape(value: object) -> None:
    wrong = refused([value, {"op": value}, {"op": "write", "path": value, "content": value}])
    assert wrong is not None
    assert wrong.code == "bad-op"


class Answer(NamedTuple):
    session: str
    base: str | None
    rows: list[tuple[int, int]]
    already: bool | None = None


def test_results_leave_out_what_they_do_not_have() -> None:
    answer = Answer("s1", None, [(1, 2)])
    assert to_json(answer) == {"session": "s1", "base": None, "rows": [[1, 2]]}
    assert json.loads(dumps({"a": answer})) == {"a": to_json(answer)}
    assert to_json(answer._replace(already=False))["already"] is False
