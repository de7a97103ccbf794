"""Java. A field in capitals is a constant; a record's components stay in its signature."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(line_comment) @comment
(block_comment) @comment
(string_literal) @blank
(string_interpolation) @code
(character_literal) @blank
(annotation) @attribute
(marker_annotation) @attribute
(import_declaration (scoped_identifier) @import)
(import_declaration (identifier) @import)
(lambda_expression) @closure
(object_creation_expression (class_body)) @closure

(module_declaration name: (_) @name body: (_) @body) @module
(class_declaration name: (_) @name body: (_) @body) @class
(record_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @interface
(annotation_type_declaration name: (_) @name body: (_) @body) @interface
(enum_declaration name: (_) @name body: (_) @body) @enum
(enum_constant name: (_) @name) @constant
(enum_constant name: (_) @name body: (_) @body) @constant
(field_declaration declarator: (variable_declarator name: (_) @name)) @variable
(constant_declaration declarator: (variable_declarator name: (_) @name)) @constant
(method_declaration name: (_) @name) @method
(method_declaration name: (_) @name body: (_) @body) @method
(constructor_declaration name: (_) @name body: (_) @body) @method
(compact_constructor_declaration name: (_) @name body: (_) @body) @method
(annotation_type_element_declaration name: (_) @name) @method
"""

GRAMMAR = Grammar(
    language="java",
    wheel="tree-sitter-java",
    query=QUERY,
    shouting=True,
    keywords=keywords(
        "abstract assert boolean break byte case catch char class continue default do double else"
        " enum extends false final finally float for if implements import instanceof int interface"
        " long native new null package private protected public return short static strictfp super"
        " switch synchronized this throw throws transient true try var void volatile while yield"
    ),
)
