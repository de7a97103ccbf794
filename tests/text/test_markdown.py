"""Text in Markdown shows as what it is, and does nothing else; a renderer is the judge."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from slipstream_git.text import markdown

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render
TRICKY = st.text(
    st.sampled_from("ab1 \t\\`*_{}[]()<>#+-.!|~=&@:/\"'\u00e9\x1b\u202e")
    | st.characters(codec="utf-8")
)


def shown(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


def tags(html: str) -> set[str]:
    return set(re.findall(r"<(\w+)", html))


def visible(text: str) -> str:
    """Text as it can be shown on a line: without what steers a terminal or turns the line round."""
    return " ".join(markdown._CONTROL.sub("\ufffd", text).split())


@given(TRICKY)
@example("# heading")
@example("1. one")
@example("- [x] done ~~not~~ **bold** _em_ `code` <b>html</b> ![i](j) [k](l)")
@example("a_b __init__ *")
@example("=== ")
@example("&lt; &copy;")
def test_plain_text_is_a_paragraph_of_that_text(text: str) -> None:
    html = RENDER(markdown.plain(text))
    assert shown(html).strip().replace(markdown.JOINER, "") == visible(text).replace(
        markdown.JOINER, ""
    )
    assert tags(html) <= {"p"}


@given(TRICKY.filter(bool))
@example("`")
@example("``a`")
@example(" ")
@example("a|b")
def test_code_in_a_table_is_one_cell(text: str) -> None:
    html = RENDER(markdown.table(("A", "B "), [(markdown.code(text), "1")]))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)
    assert len(cells) == 2
    assert cells[1] == "1"
    flat = markdown._CONTROL.sub("\ufffd", text).replace("\n", "\ufffd")
    assert unescape(re.sub(r"</?code>", "", cells[0])).strip() == flat.strip()


@given(TRICKY)
@example("```\nout\n````\n~~~")
def test_a_block_holds_its_lines(text: str) -> None:
    html = RENDER(markdown.block(text))
    assert tags(html) == {"pre", "code"}
    clean = markdown._CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))
    assert shown(html).rstrip() == clean.rstrip()


def test_nobody_is_called_and_nothing_is_closed() -> None:
    told = markdown.plain("ask @ada, closes #12, see !3, fixes o/r#4 and GH-5, a@b.c")
    assert "r#4" not in told
    assert "GH-5" not in told
    assert markdown.plain("/merge") != "/merge"
    assert "@ada" not in told
    assert "#12" not in told
    assert "!3" not in told
    assert "a@b.c" in told


def test_a_message_keeps_its_lines() -> None:
    told = markdown.paragraphs("one\ntwo\n\n- three\n# four\n")
    assert RENDER(told) == "<p>one<br />\ntwo</p>\n<p>- three<br />\n# four</p>\n"
