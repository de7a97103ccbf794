"""TypeScript and TSX: JavaScript's query, and types."""

from __future__ import annotations

from slipstream_git.text.outlining import javascript
from slipstream_git.text.outlining.grammar import Grammar

QUERY = """
(ambient_declaration (_ name: (_) @name)) @wrap
(ambient_declaration (_ (variable_declarator name: (identifier) @name))) @wrap
(export_statement declaration: (ambient_declaration (_ name: (_) @name))) @wrap
(export_statement declaration: (ambient_declaration
  (_ (variable_declarator name: (identifier) @name)))) @wrap
(expression_statement (internal_module name: (_) @name)) @wrap
(function_type) @closure
(import_require_clause source: (string) @import)

(public_field_definition name: (_) @name) @property
(public_field_definition name: (_) @name value: [
  (arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method

(interface_declaration name: (_) @name body: (_) @body) @interface
(enum_declaration name: (_) @name body: (_) @body) @enum
(enum_body name: (_) @name @constant)
(enum_body (enum_assignment name: (_) @name) @constant)
(type_alias_declaration name: (_) @name) @type
(abstract_class_declaration name: (_) @name body: (_) @body) @class
(function_signature name: (_) @name) @function
(internal_module name: (_) @name body: (_) @body) @module
(module name: (_) @name body: (_) @body) @module
(property_signature name: (_) @name) @field
(method_signature name: (_) @name) @member
(method_signature ["get" "set"] name: (_) @name) @field
(abstract_method_signature name: (_) @name) @method
(class_body (method_signature name: (_) @name) @method)
"""


def _grammar(language: str, extra: str) -> Grammar:
    return javascript.GRAMMAR._replace(
        language=language,
        wheel="tree-sitter-typescript",
        maker=f"language_{language}",
        query=javascript.COMMON + extra + QUERY,
    )


GRAMMARS = {
    "tsx": _grammar("tsx", javascript.MARKUP),
    "typescript": _grammar("typescript", ""),
}
