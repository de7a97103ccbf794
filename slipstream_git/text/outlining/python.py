"""Python: spans are those of `ast`, decorators included."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(decorated_definition definition: (_ name: (identifier) @name)) @wrap

(comment) @comment
(string) @blank
(interpolation) @code
(decorator) @attribute

(module . (comment)* . (expression_statement . (string) @docstring .))
(class_definition body: (block . (comment)* . (expression_statement . (string) @docstring .)))
(function_definition body: (block . (comment)* . (expression_statement . (string) @docstring .)))

(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (dotted_name) @import))
(import_from_statement module_name: (_) @import)
(future_import_statement "__future__" @import)

(assignment left: (identifier) @name) @variable
(assignment left: (pattern_list (identifier) @name)) @variable
(assignment left: (tuple_pattern (identifier) @name)) @variable
(assignment left: (identifier) @name right: (lambda)) @valued
(assignment left: (identifier) @name type: (type (identifier) @_t) (#eq? @_t "TypeAlias")) @type
(assignment left: (identifier) @name
  type: (type (attribute attribute: (identifier) @_t)) (#eq? @_t "TypeAlias")) @type
(type_alias_statement left: (type (identifier) @name)) @type
(type_alias_statement left: (type (generic_type (identifier) @name))) @type

(lambda) @closure
(function_definition name: (identifier) @name body: (block) @body) @function
(decorated_definition
  (decorator (identifier) @_d)
  definition: (function_definition name: (identifier) @name body: (block) @body)
  (#any-of? @_d "property" "cached_property" "abstractproperty")) @property
(decorated_definition
  (decorator (attribute attribute: (identifier) @_d))
  definition: (function_definition name: (identifier) @name body: (block) @body)
  (#any-of? @_d "cached_property" "setter" "getter" "deleter" "abstractproperty")) @property

(class_definition name: (identifier) @name body: (block) @body) @class
(class_definition name: (identifier) @name
  superclasses: (argument_list [
    (identifier) @_b
    (attribute attribute: (identifier) @_b)
    (subscript value: (identifier) @_b)])
  body: (block) @body
  (#eq? @_b "Protocol")) @interface
(class_definition name: (identifier) @name
  superclasses: (argument_list [(identifier) @_b (attribute attribute: (identifier) @_b)])
  body: (block) @body
  (#any-of? @_b "Enum" "IntEnum" "StrEnum" "Flag" "IntFlag")) @enum
"""

GRAMMAR = Grammar(
    language="python",
    wheel="tree-sitter-python",
    query=QUERY,
    shouting=True,
    keywords=keywords(
        "False None True and as assert async await break class continue def del elif else except"
        " finally for from global if import in is lambda nonlocal not or pass raise return try"
        " while with yield"
    ),
)
