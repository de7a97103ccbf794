"""Rust. Attributes stand beside their item in the tree, and belong to it as in rustc."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(line_comment) @comment
(block_comment) @comment
(string_literal) @blank
(raw_string_literal) @blank
(char_literal) @blank
(attribute_item) @attribute
(use_declaration argument: (_) @import)
(extern_crate_declaration name: (identifier) @import)
(closure_expression) @closure

(impl_item type: (_) @name) @scope
(mod_item name: (_) @name) @module
(mod_item name: (_) @name body: (_) @body) @module
(struct_item name: (_) @name) @class
(struct_item name: (_) @name body: (field_declaration_list) @body) @class
(union_item name: (_) @name body: (_) @body) @class
(enum_item name: (_) @name body: (_) @body) @enum
(enum_variant name: (_) @name) @constant
(trait_item name: (_) @name body: (_) @body) @interface
(type_item name: (_) @name) @type
(associated_type name: (_) @name) @type
(const_item name: (_) @name) @constant
(static_item name: (_) @name) @variable
(function_signature_item name: (_) @name) @function
(function_item name: (_) @name body: (_) @body) @function
(macro_definition name: (_) @name . (_) @body) @macro
(field_declaration name: (_) @name) @field
"""

GRAMMAR = Grammar(
    language="rust",
    wheel="tree-sitter-rust",
    query=QUERY,
    unnamed=frozenset({"crate", "self", "super"}),
    inner=b"//!",
    keywords=keywords(
        "Self as async await break const continue crate dyn else enum extern false fn for if impl"
        " in let loop match mod move mut pub ref return self static struct super trait true type"
        " unsafe use where while _"
    ),
)
