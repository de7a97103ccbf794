"""Swift. Structures, actors and extensions are classes; a protocol is an interface."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(comment) @comment
(multiline_comment) @comment
(line_string_literal) @blank
(multi_line_string_literal) @blank
(raw_string_literal) @blank
(interpolated_expression) @code
(attribute) @attribute
(import_declaration (identifier) @import)
(lambda_literal) @closure
(computed_property) @closure

(class_declaration name: (_) @name body: (_) @body) @class
(class_declaration declaration_kind: "enum" name: (_) @name body: (_) @body) @enum
(protocol_declaration name: (_) @name body: (_) @body) @interface
(enum_entry name: (simple_identifier) @name) @constant
(typealias_declaration name: (type_identifier) @name) @type
(associatedtype_declaration name: (_) @name) @type
(property_declaration name: (pattern bound_identifier: (_) @name)) @variable
(protocol_property_declaration name: (pattern bound_identifier: (_) @name)) @property
(function_declaration name: (simple_identifier) @name) @function
(function_declaration name: (simple_identifier) @name body: (_) @body) @function
(function_declaration [(custom_operator) "==" "!=" "<" ">" "<=" ">=" "+" "-" "*" "/" "%"] @name
  body: (_) @body) @function
(protocol_function_declaration name: (simple_identifier) @name) @function
(init_declaration "init" @name) @method
(init_declaration "init" @name body: (_) @body) @method
(deinit_declaration "deinit" @name body: (_) @body) @method
(subscript_declaration "subscript" @name) @method
"""

GRAMMAR = Grammar(
    language="swift",
    wheel="tree-sitter-swift",
    query=QUERY,
    keywords=keywords(
        "Any Self actor as associatedtype async await break case catch class continue default defer"
        " deinit do else enum extension fallthrough false fileprivate final for func get guard if"
        " import in init inout internal is lazy let mutating nil open operator override private"
        " protocol public repeat rethrows return self set some static struct subscript super switch"
        " throw throws true try typealias unowned var weak where while"
    ),
)
