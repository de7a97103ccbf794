"""Go. A name declared alone has the declaration's span, one of a group that of its line."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(type_declaration . (type_spec name: (_) @name) .) @wrap
(type_declaration . (type_alias name: (_) @name) .) @wrap
(const_declaration . (const_spec name: (_) @name) .) @wrap
(var_declaration . (var_spec name: (_) @name) .) @wrap

(comment) @comment
(interpreted_string_literal) @blank
(raw_string_literal) @blank
(rune_literal) @blank
(import_spec path: (_) @import)
(func_literal) @closure

(const_spec (identifier) @name) @constant
(var_spec name: (identifier) @name) @variable
(function_declaration name: (identifier) @name) @function
(function_declaration name: (identifier) @name body: (block) @body) @function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @owner))
  name: (_) @name) @method
(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @owner))
  name: (_) @name body: (block) @body) @method
(type_alias name: (_) @name) @type
(type_spec name: (_) @name) @type
(type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) @class
(type_spec name: (_) @name type: (interface_type "{" @body)) @interface
(field_declaration name: (field_identifier) @name) @field
(method_elem name: (_) @name) @member
"""

GRAMMAR = Grammar(
    language="go",
    wheel="tree-sitter-go",
    query=QUERY,
    keywords=keywords(
        "break case chan const continue default defer else fallthrough false for func go goto if"
        " import interface iota map nil package range return select struct switch true type var _"
    ),
)
