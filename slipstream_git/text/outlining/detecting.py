"""Which language a file is in: by its name, else by its first line."""

from __future__ import annotations

import re
from importlib import import_module

from slipstream_git.text.outlining.grammar import Grammar

#: Ends of names, after the last dot, for each language. Languages without a grammar stand here too:
#: their outlines are guessed, or are empty where nothing in them is a definition.
EXTENSIONS = {
    "bash": "sh bash ksh zsh bats ebuild eclass",
    "c": "c",
    "clojure": "clj cljs cljc edn",
    "cmake": "cmake",
    "cpp": "cc cpp cxx c++ hpp hh hxx h++ ipp tpp inl cu cuh",
    "csharp": "cs csx",
    "css": "css scss less",
    "dart": "dart",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "fortran": "f f90 f95 f03 f08 for",
    "go": "go",
    "graphql": "graphql gql",
    "groovy": "groovy gradle",
    "haskell": "hs lhs",
    "hcl": "tf hcl tfvars",
    "header": "h",
    "html": "html htm xhtml vue svelte",
    "ini": "ini cfg conf properties",
    "java": "java",
    "javascript": "js jsx mjs cjs",
    "json": "json jsonc json5 geojson webmanifest",
    "julia": "jl",
    "kotlin": "kt kts",
    "lua": "lua",
    "make": "mk mak",
    "markdown": "md markdown mdown mkd mdx",
    "nim": "nim",
    "nix": "nix",
    "objc": "m mm",
    "ocaml": "ml mli",
    "perl": "pl pm t",
    "php": "php phtml php3 php4 php5 php7 php8 phps inc",
    "powershell": "ps1 psm1 psd1",
    "proto": "proto",
    "python": "py pyi pyw pyx pxd",
    "r": "r",
    "ruby": "rb rake gemspec ru podspec",
    "rust": "rs",
    "scala": "scala sc sbt",
    "sql": "sql",
    "swift": "swift",
    "tcl": "tcl",
    "text": "txt text rst adoc log",
    "toml": "toml",
    "tsx": "tsx",
    "typescript": "ts mts cts",
    "vim": "vim",
    "xml": "xml xsd xsl xslt svg plist",
    "yaml": "yaml yml",
    "zig": "zig zon",
}
NAMES = {
    "bash": ".bashrc .bash_profile .bash_aliases .profile .zshrc .zprofile .zshenv PKGBUILD",
    "cmake": "CMakeLists.txt",
    "dockerfile": "Dockerfile Containerfile",
    "groovy": "Jenkinsfile",
    "make": "Makefile makefile GNUmakefile",
    "python": "SConstruct SConscript wscript",
    "ruby": "Rakefile Gemfile Guardfile Vagrantfile Podfile Fastfile Brewfile",
    "toml": "Cargo.lock poetry.lock uv.lock Pipfile",
}
INTERPRETERS = {
    "bash": "sh bash dash ksh zsh ash bats",
    "javascript": "node nodejs bun",
    "lua": "lua luajit",
    "perl": "perl",
    "php": "php",
    "python": "python pypy uv",
    "ruby": "ruby jruby",
    "tcl": "tclsh wish expect",
    "typescript": "deno ts-node tsx",
}
#: Nothing in these is a definition.
DATA = frozenset({"", "css", "html", "ini", "json", "text", "toml", "xml", "yaml"})

#: The module here that holds each language's grammar.
GRAMMARS = {
    "bash": "bash",
    "c": "c",
    "cpp": "cpp",
    "csharp": "csharp",
    "go": "go",
    "java": "java",
    "javascript": "javascript",
    "kotlin": "kotlin",
    "lua": "lua",
    "php": "php",
    "python": "python",
    "ruby": "ruby",
    "rust": "rust",
    "scala": "scala",
    "swift": "swift",
    "tsx": "typescript",
    "typescript": "typescript",
}

_BY_EXTENSION = {end: name for name, ends in EXTENSIONS.items() for end in ends.split()}
_BY_NAME = {known: name for name, names in NAMES.items() for known in names.split()}
_BY_INTERPRETER = {known: name for name, names in INTERPRETERS.items() for known in names.split()}

_SHEBANG = re.compile(
    rb"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?([A-Za-z][A-Za-z-]*)"
)
_ONLY_CPP = re.compile(
    rb"^[ \t]*(?:class\s+\w+[^;()]*$|namespace\b|template\s*<|(?:public|private|protected)\s*:"
    rb"|using\s+\w|constexpr\b|#include\s*<(?:[a-z_]+|c[a-z]+)>)",
    re.MULTILINE,
)


def family(path: str) -> str:
    """What the name alone says: a language, "header" for C or C++, "" for nothing."""
    name = path.rpartition("/")[2]
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith(("Dockerfile.", "Makefile.")):
        return _BY_NAME[name.partition(".")[0]]
    return _BY_EXTENSION.get(name.rpartition(".")[2].lower(), "") if "." in name[1:] else ""


def may_be_script(path: str) -> bool:
    """Whether a name says so little that the first line may say more."""
    return not family(path) and "." not in path.rpartition("/")[2][1:]


def language_of(path: str, data: bytes) -> str:
    """The language of a file, or "" where neither its name nor its first line says it."""
    known = family(path)
    if known == "header":
        return "cpp" if _ONLY_CPP.search(data) else "c"
    if known or not data.startswith(b"#!"):
        return known
    found = _SHEBANG.match(data)
    return _BY_INTERPRETER.get(found[1].decode().rstrip("-"), "") if found else ""


def grammar(language: str) -> Grammar | None:
    if language not in GRAMMARS:
        return None
    module = import_module(f"slipstream_git.text.outlining.{GRAMMARS[language]}")
    grammars: dict[str, Grammar] = getattr(module, "GRAMMARS", None) or {language: module.GRAMMAR}
    return grammars[language]


def candidates(known: str) -> list[Grammar]:
    """The grammars among which the bytes of a file of this family may choose."""
    named = {"header": ["c", "cpp"], "": list(INTERPRETERS)}.get(known, [known])
    return [found for found in map(grammar, named) if found]
