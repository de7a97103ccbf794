"""Scala 2 and 3. An object is a class, a trait an interface."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(comment) @comment
(block_comment) @comment
(string) @blank
(interpolated_string) @blank
(interpolation) @code
(character_literal) @blank
(annotation) @attribute
(import_declaration) @import
(lambda_expression) @closure

(object_definition name: (_) @name) @class
(object_definition name: (_) @name body: (_) @body) @class
(class_definition name: (_) @name) @class
(class_definition name: (_) @name body: (_) @body) @class
(given_definition name: (_) @name) @class
(given_definition name: (_) @name body: (with_template_body) @body) @class
(package_object name: (_) @name body: (_) @body) @module
(trait_definition name: (_) @name) @interface
(trait_definition name: (_) @name body: (_) @body) @interface
(enum_definition name: (_) @name body: (_) @body) @enum
(simple_enum_case name: (_) @name) @constant
(full_enum_case name: (_) @name) @constant
(type_definition name: (_) @name) @type
(val_definition pattern: (identifier) @name) @variable
(var_definition pattern: (identifier) @name) @variable
(val_declaration name: (identifier) @name) @variable
(var_declaration name: (identifier) @name) @variable
(function_declaration name: (_) @name) @function
(function_definition name: (_) @name body: (_) @body) @function
"""

GRAMMAR = Grammar(
    language="scala",
    wheel="tree-sitter-scala",
    query=QUERY,
    shouting=True,
    keywords=keywords(
        "abstract case catch class def do else enum export extends extension false final finally"
        " for given if implicit import inline lazy match new null object opaque override package"
        " private protected return sealed super then this throw trait true try type using val var"
        " while with yield"
    ),
)
