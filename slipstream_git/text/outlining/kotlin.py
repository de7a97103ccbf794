"""Kotlin. An object is a class; a property in capitals, or `const`, is a constant."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(line_comment) @comment
(block_comment) @comment
(string_literal) @blank
(multiline_string_literal) @blank
(character_literal) @blank
(interpolation) @code
(annotation) @attribute
(import (qualified_identifier) @import)
(lambda_literal) @closure
(anonymous_function) @closure
(object_literal) @closure

(class_declaration name: (_) @name) @class
(class_declaration name: (_) @name (class_body) @body) @class
(class_declaration "interface" name: (_) @name) @interface
(class_declaration name: (_) @name (enum_class_body) @body) @enum
(object_declaration name: (_) @name) @class
(object_declaration name: (_) @name (class_body) @body) @class
(companion_object "companion" @name) @scope
(enum_entry . (identifier) @name) @constant
(type_alias type: (identifier) @name) @type
(property_declaration (variable_declaration (identifier) @name)) @variable
(property_declaration (modifiers (property_modifier "const"))
  (variable_declaration (identifier) @name)) @constant
(function_declaration name: (_) @name) @function
(function_declaration name: (_) @name (function_body) @body) @function
"""

GRAMMAR = Grammar(
    language="kotlin",
    wheel="tree-sitter-kotlin",
    query=QUERY,
    shouting=True,
    unnamed=frozenset({"companion"}),
    keywords=keywords(
        "abstract as break by class companion const constructor continue crossinline data do else"
        " enum external false final finally for fun get if import in infix init inline inner"
        " interface internal is it lateinit null object open operator out override package private"
        " protected public return sealed set super suspend tailrec this throw true try typealias"
        " val var vararg when where while"
    ),
)
