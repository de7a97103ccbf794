"""What a pattern requires, held against RE2 itself: no line that matches is without it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_git.text.regexsyntax import OPAQUE, read
from slipstream_git.text.required import AllOf, AnyOf, Need, of_literal, required

re2 = pytest.importorskip("re2")

LETTERS = "abkKsS_ é.("


def holds(line: bytes, need: Need) -> bool:
    if need is None:
        return True
    if isinstance(need, bytes):
        return need in line
    parts = [holds(line, part) for part in need.needs]
    return all(parts) if isinstance(need, AllOf) else any(parts)


@pytest.mark.parametrize(
    ("pattern", "need"),
    [
        ("foo", b"foo"),
        ("Foo", b"foo"),
        ("foo.*bar", AllOf((b"foo", b"bar"))),
        ("foo|bar", AnyOf((b"bar", b"foo"))),
        ("a{3}", b"aaa"),
        (r"\d+", None),
        ("x*", None),
        (r"def \w+\(self", AllOf((b"def ", b"(self"))),
        ("[ab]cd", AnyOf((b"acd", b"bcd"))),
        ("(?:(?i)É)x", b"x"),
        ("(?x) a b", None),
        ("foo(?=bar)baz", b"foobaz"),
        (r"(a)\1bcd", AllOf((b"a", b"bcd"))),
        ("fo{e<=1}o", None),
        (r"\x41\x{42}", b"ab"),
        (r"\Qa.b\E*cde", b"cde"),
        ("a" * 100, AllOf((b"a" * 64,))),
    ],
)
def test_what_is_required(pattern: str, need: Need) -> None:
    found = required(read(pattern, ignore_case=False))
    if pattern == "a" * 100:  # in pieces, each of them part of it
        assert isinstance(found, bytes | AllOf)
        assert holds(b"a" * 100, found)
        assert not holds(b"a" * 40, found)
    else:
        assert found == need


@pytest.mark.parametrize("count", ["²", "1,²", "١", "9" * 5000])
def test_a_count_that_is_no_number_needs_nothing(count: str) -> None:
    assert required(read(f"abc{{{count}}}", ignore_case=False)) == required(OPAQUE)


def test_of_plain_text_what_case_leaves_alone() -> None:
    assert of_literal(b"Foo", ignore_case=True) == b"foo"
    assert of_literal("fooÉbar".encode(), ignore_case=True) == AllOf((b"foo", b"bar"))
    assert of_literal("É".encode(), ignore_case=False) == "É".encode()


def _patterns() -> st.SearchStrategy[str]:
    plain = st.text(LETTERS, min_size=1, max_size=4).map(re2.escape)
    atoms = st.one_of(
        plain,
        st.sampled_from([".", r"\w", r"\d", "[ab]", "[^a]", "[a-k]", "^", "$", r"\b", "(?i:Ks)"]),
    )

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.lists(inner, min_size=1, max_size=4).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda p: f"(?:{'|'.join(p)})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "+?"])).map(
                lambda pair: f"({pair[0]}){pair[1]}"
            ),
        )

    return st.recursive(atoms, grown, max_leaves=8)


@settings(max_examples=500)
@given(_patterns(), st.text(LETTERS + "dﬀK", max_size=14), st.booleans())
def test_no_line_that_matches_is_without_it(pattern: str, line: str, folded: bool) -> None:  # noqa: FBT001
    options = re2.Options()
    options.case_sensitive = not folded
    options.never_nl = True
    options.log_errors = False
    need = required(read(pattern, ignore_case=folded))
    if re2.compile(pattern.encode(), options).search(line.encode()):
        # The letters that fold to ASCII are the index's business.
        plain = line.replace("K", "k").replace("ſ", "s").encode().lower()
        assert holds(plain, need), (pattern, line, need)
