"""Bash, and what other shells share with it. An assignment before a command is not a definition."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

_ASSIGNED = "(variable_assignment name: (variable_name) @name)"
QUERY = f"""
(declaration_command {_ASSIGNED}) @wrap

(comment) @comment
(string) @blank
(raw_string) @blank
(ansi_c_string) @blank
(heredoc_body) @blank
(regex) @blank
(simple_expansion) @code
(expansion) @code
(command_substitution) @code
(command name: (command_name (word) @_c) . argument: (_) @import (#any-of? @_c "source" "."))

(program {_ASSIGNED} @variable)
(variable_assignments {_ASSIGNED} @variable)
(list {_ASSIGNED} @variable)
(if_statement {_ASSIGNED} @variable)
(elif_clause {_ASSIGNED} @variable)
(else_clause {_ASSIGNED} @variable)
(case_item {_ASSIGNED} @variable)
(do_group {_ASSIGNED} @variable)
(compound_statement {_ASSIGNED} @variable)
(declaration_command {_ASSIGNED} @variable)
(declaration_command "readonly" {_ASSIGNED} @constant)
(declaration_command "readonly" (variable_name) @name) @constant
(function_definition name: (_) @name body: (_) @body) @function
"""

GRAMMAR = Grammar(
    language="bash",
    wheel="tree-sitter-bash",
    query=QUERY,
    shouting=True,
    word=rb"[\w\x80-\xff]+(?:-[\w\x80-\xff]+)*",
    keywords=keywords(
        "case declare do done elif else esac export fi for function if in local readonly select"
        " shift then typeset unset until while return exit set"
    ),
)
