"""Lua. A function in a table is a method of it."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @wrap

(comment) @comment
(hash_bang_line) @blank
(string) @blank
(function_call name: (identifier) @_f arguments: (arguments . (string) @import)
  (#eq? @_f "require"))
(function_definition) @closure

(assignment_statement (variable_list name: (identifier) @name)) @variable
(variable_declaration (variable_list name: (identifier) @name)) @variable
(assignment_statement
  (variable_list . name: (identifier) @name .)
  (expression_list . value: (function_definition parameters: (_) . (_)? @body) .)) @function
(assignment_statement
  (variable_list . name: (dot_index_expression) @name .)
  (expression_list . value: (function_definition parameters: (_) . (_)? @body) .)) @function
(field name: (identifier) @name
  value: (function_definition parameters: (_) . (_)? @body)) @member
(function_declaration name: (_) @name) @function
(function_declaration name: (_) @name body: (_) @body) @function
"""

GRAMMAR = Grammar(
    language="lua",
    wheel="tree-sitter-lua",
    query=QUERY,
    joints=r"[.:]",
    shouting=True,
    keywords=keywords(
        "and break do else elseif end false for function goto if in local nil not or repeat return"
        " self then true until while"
    ),
)
