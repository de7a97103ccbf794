"""CODEOWNERS: the examples of the sites' own pages, and git's rules wherever they do not differ."""

from __future__ import annotations

import pytest
from pathspec import GitIgnoreSpec

from slipstream_git.text import codeowners

# https://docs.github.com/…/about-code-owners, its example file.
GITHUB = b"""\
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""

# https://docs.gitlab.com/…/codeowners, sections.
GITLAB = b"""\
* @default
[Documentation] @docs-team
docs/
README.md @writer

^[Optional] @any
*.rb

[Two needed][2] @security @ops
config/
config/local.yml @ops

[documentation]
*.md @editor
"""


def of(text: bytes, path: str) -> str:
    return " ".join(codeowners.parse(text).of(path.encode()))


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("anything", "@global-owner1 @global-owner2"),
        ("deep/er/anything", "@global-owner1 @global-owner2"),
        ("a.js", "@js-owner"),
        ("deep/a.js", "@js-owner"),
        ("a.go", "docs@example.com"),
        ("build/logs/x", "@octocat"),
        ("docs/getting-started.md", "@doctocat"),
        ("other/docs/a.md", "@global-owner1 @global-owner2"),
        ("apps/x/y", "@octocat"),
        ("deep/apps/x", "@octocat"),
        ("apps/github", ""),
        ("apps/github/x", ""),
        ("scripts/a.js", "@doctocat @octocat"),
        ("deeply/nested/logs/x", "@octocat"),
    ],
)
def test_the_example_of_github(path: str, owners: str) -> None:
    assert of(GITHUB, path) == owners


def test_a_star_at_the_end_goes_no_deeper() -> None:
    text = b"docs/* @d\n/top/* @t\n**/any/* @a\n"
    assert of(text, "docs/getting-started.md") == "@d"
    assert of(text, "docs/build-app/troubleshooting.md") == ""
    assert of(text, "top/x") == "@t"
    assert of(text, "top/x/y") == ""
    assert of(text, "x/any/y") == "@a"
    assert of(text, "any/any/y") == "@a"
    assert of(text, "any/x/y") == ""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("x", "@default"),
        ("docs/x", "@default @docs-team"),
        ("README.md", "@default @editor"),
        ("docs/a.md", "@default @editor"),
        ("lib/a.rb", "@default @any"),
        ("config/a", "@default @security @ops"),
        ("config/local.yml", "@default @ops"),
    ],
)
def test_sections_are_read_each_by_itself(path: str, owners: str) -> None:
    assert of(GITLAB, path) == owners


def test_what_cannot_be_read_is_passed_over_and_told() -> None:
    found = codeowners.parse(b"!no @x\n*.[ch] @x\n# a comment\n\na//x @x\nok\\ file @y\n")
    assert found.skipped == [1, 2, 5]
    assert found.of(b"ok file") == ("@y",)
    assert found.of(b"a.c") == ()
    assert codeowners.parse(b"").of(b"a") == ()
    assert codeowners.parse("\ufeff* @x\r\n".encode()).of(b"a") == ("@x",)
    assert codeowners.parse(b"* @x\n").of(b"raw\xff") == ("@x",)


PATTERNS = (
    "*", "*.js", "a", "/a", "a/", "/a/", "a/b", "a/b/", "**/b", "a/**", "a/**/c", "a*c", "/*.md",
    "a?", "**/a/**/c", "x/*/c", "*a*/", "a/*/", ".a", "\\#x", "b/**/", "/**",
)  # fmt: skip
PATHS = (
    "a", "b", "a/b", "a/b/c", "a/x/c", "x/a", "x/a/b", "x/a/c", "abc", "ac", "a/c", "b/a/b",
    "a.js", "x/a.js", "r.md", "x/r.md", ".a", "#x", "x/y/c", "xay/z", "b/x", "b/x/y", "a/b/c/d",
    "a\nb", "ax/b",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_other_patterns_are_those_of_gitignore(pattern: str) -> None:
    spec = GitIgnoreSpec.from_lines([pattern])
    owned = codeowners.parse(f"{pattern} @o\n".encode())
    for path in PATHS:
        assert bool(owned.of(path.encode())) == spec.match_file(path), (pattern, path)
