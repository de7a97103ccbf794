"""C++: C's query, and classes, namespaces, templates, members defined outside of their class."""

from __future__ import annotations

from slipstream_git.text.outlining import c
from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(template_declaration (_ name: (_) @name)) @wrap
(template_declaration (_ declarator: (_) @declarator)) @wrap

(raw_string_literal) @blank
(attribute_declaration) @attribute
(lambda_expression) @closure
(friend_declaration) @closure

(namespace_definition name: (_) @name body: (_) @body) @module
(class_specifier name: (_) @name body: (_) @body) @class
(alias_declaration name: (_) @name) @type
(concept_definition name: (_) @name) @type
(declaration declarator: (reference_declarator (function_declarator
  declarator: (identifier)) @declarator)) @prototype
(declaration declarator: (function_declarator
  declarator: [(destructor_name) (operator_name)]) @declarator) @prototype
(declaration declarator: (operator_cast) @declarator) @prototype
(function_definition declarator: (_) @declarator (default_method_clause)) @function
(function_definition declarator: (_) @declarator (delete_method_clause)) @function
(field_declaration declarator: (function_declarator
  declarator: [(field_identifier) (destructor_name) (operator_name)]) @declarator) @method
(field_declaration declarator: (pointer_declarator (function_declarator
  declarator: [(field_identifier) (operator_name)]) @declarator)) @method
(field_declaration declarator: (reference_declarator (function_declarator
  declarator: [(field_identifier) (operator_name)]) @declarator)) @method
"""

GRAMMAR = Grammar(
    language="cpp",
    wheel="tree-sitter-cpp",
    query=c.COMMON + QUERY,
    joints=r"::",
    keywords=keywords(
        c.KEYWORDS
        + " alignas alignof and catch class co_await co_return co_yield concept consteval"
        " constexpr constinit decltype delete explicit export final friend mutable namespace new"
        " noexcept not nullptr operator or override private protected public requires static_assert"
        " static_cast dynamic_cast reinterpret_cast const_cast template this throw try typeid"
        " typename using virtual"
    ),
)
