"""C, and what C++ shares with it (cpp.py adds the rest).

A prototype counts unless the file has the function's body, too. A structure is a `class`, its
typedef a `type` if it is named otherwise.
"""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

COMMON = """
(type_definition type: (struct_specifier name: (_) @name body: (_))) @wrap
(type_definition type: (union_specifier name: (_) @name body: (_))) @wrap
(type_definition type: (enum_specifier name: (_) @name body: (_))) @wrap

(comment) @comment
(string_literal) @blank
(system_lib_string) @blank
(char_literal) @blank
(preproc_include path: (string_literal) @import)
(preproc_include path: (system_lib_string) @import)

(preproc_def name: (_) @name) @macro
(preproc_function_def name: (_) @name) @macro
(struct_specifier name: (_) @name body: (_) @body) @class
(union_specifier name: (_) @name body: (_) @body) @class
(enum_specifier name: (_) @name body: (_) @body) @enum
(enumerator name: (_) @name) @constant
(type_definition
  type: [(struct_specifier !body) (union_specifier !body) (enum_specifier !body)
    (primitive_type) (sized_type_specifier) (type_identifier)]
  declarator: (_) @declarator) @type
(type_definition type: (_ name: (_) @_tag body: (_) @body) declarator: (_) @declarator
  (#not-eq? @_tag @declarator)) @alias
(type_definition type: (struct_specifier !name body: (_) @body) declarator: (_) @declarator) @class
(type_definition type: (union_specifier !name body: (_) @body) declarator: (_) @declarator) @class
(type_definition type: (enum_specifier !name body: (_) @body) declarator: (_) @declarator) @enum
(field_declaration declarator: (_) @declarator) @field

(declaration declarator: (_) @declarator) @variable
(declaration declarator: (function_declarator declarator: (identifier)) @declarator) @prototype
(declaration declarator: (pointer_declarator
  declarator: (function_declarator declarator: (identifier)) @declarator)) @prototype
(declaration declarator: (pointer_declarator declarator: (pointer_declarator
  declarator: (function_declarator declarator: (identifier)) @declarator))) @prototype
(function_definition declarator: (_) @declarator body: (_) @body) @function
"""
KEYWORDS = (
    "auto break case char const continue default define defined do double elif else endif enum"
    " extern float for goto if ifdef ifndef include inline int long pragma register restrict return"
    " short signed sizeof static struct switch typedef undef union unsigned void volatile while"
    " _Bool _Static_assert bool true false NULL"
)

GRAMMAR = Grammar(language="c", wheel="tree-sitter-c", query=COMMON, keywords=keywords(KEYWORDS))
