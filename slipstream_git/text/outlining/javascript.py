"""JavaScript, and what TypeScript shares with it (typescript.py adds the rest)."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

COMMON = """
(export_statement declaration: (_ name: (_) @name)) @wrap
(export_statement declaration: (_ (variable_declarator name: (identifier) @name))) @wrap

(comment) @comment
(string) @blank
(template_string) @blank
(template_substitution) @code
(regex) @blank
(decorator) @attribute

(import_statement source: (string) @import)
(export_statement source: (string) @import)
(call_expression function: (identifier) @_f arguments: (arguments . (string) @import .)
  (#eq? @_f "require"))
(call_expression function: (import) arguments: (arguments . (string) @import))

(arrow_function) @closure
(function_expression) @closure
(generator_function) @closure

(lexical_declaration kind: "const" (variable_declarator name: (identifier) @name)) @constant
(lexical_declaration kind: "let" (variable_declarator name: (identifier) @name)) @variable
(variable_declaration (variable_declarator name: (identifier) @name)) @variable
(export_statement declaration: (_ (variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @name)))) @constant
(variable_declarator name: (identifier) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)
  (generator_function body: (_) @body)]) @function
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @class

(function_declaration name: (_) @name body: (_) @body) @function
(generator_function_declaration name: (_) @name body: (_) @body) @function
(class_declaration name: (_) @name body: (_) @body) @class
(class name: (_) @name body: (_) @body) @class
(export_statement "default" @name value: [
  (arrow_function body: (_) @body)
  (function_expression !name body: (_) @body)
  (generator_function !name body: (_) @body)]) @function
(export_statement "default" @name value: (class !name body: (_) @body)) @class
(export_statement "default" @name value: (object) @body) @constant

(object (method_definition name: (_) @name body: (_) @body) @member)
(object (pair key: (_) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)
  (generator_function body: (_) @body)]) @member)
(class_body (method_definition name: (_) @name body: (_) @body) @method)
(class_body (method_definition ["get" "set"] name: (_) @name body: (_) @body) @property)

(assignment_expression
  left: (member_expression object: (_) @owner property: (_) @name)
  right: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
    (generator_function body: (_) @body)]) @valued
(assignment_expression
  left: (member_expression object: (_) @owner property: (_) @name)
  right: (class !name body: (_) @body)) @class
"""
FIELDS = """
(field_definition property: (_) @name) @property
(field_definition property: (_) @name value: [
  (arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method
"""
SCRIPT = """
(hash_bang_line) @blank
"""
MARKUP = """
(jsx_text) @blank
"""

KEYWORDS = (
    "$ abstract any as async await boolean break case catch class const continue debugger declare"
    " default delete do else enum export extends false finally for from function get if implements"
    " import in instanceof interface keyof let namespace never new null number of private protected"
    " public readonly return satisfies set static string super switch this throw true try type"
    " typeof undefined unknown var void while with yield"
)

GRAMMAR = Grammar(
    language="javascript",
    wheel="tree-sitter-javascript",
    query=COMMON + FIELDS + SCRIPT + MARKUP,
    keywords=keywords(KEYWORDS),
    word=rb"[\w$\x80-\xff]+",
    unnamed=frozenset({"exports", "module", "prototype", "this", "self", "window", "globalThis"}),
)
