"""C#. Structures and records are classes; a delegate is a type."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(comment) @comment
(string_literal) @blank
(verbatim_string_literal) @blank
(raw_string_literal) @blank
(interpolated_string_expression) @blank
(interpolation) @code
(character_literal) @blank
(attribute_list) @attribute
(using_directive !name (qualified_name) @import)
(using_directive !name (identifier) @import)
(using_directive name: (_) (qualified_name) @import)
(lambda_expression) @closure
(anonymous_method_expression) @closure

(namespace_declaration name: (_) @name body: (_) @body) @module
(file_scoped_namespace_declaration name: (_) @name) @module
(class_declaration name: (_) @name) @class
(class_declaration name: (_) @name body: (_) @body) @class
(struct_declaration name: (_) @name) @class
(struct_declaration name: (_) @name body: (_) @body) @class
(record_declaration name: (_) @name) @class
(record_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @interface
(enum_declaration name: (_) @name body: (_) @body) @enum
(enum_member_declaration name: (_) @name) @constant
(delegate_declaration name: (_) @name) @type
(method_declaration name: (_) @name) @method
(method_declaration name: (_) @name body: (_) @body) @method
(constructor_declaration name: (_) @name body: (_) @body) @method
(destructor_declaration name: (_) @name body: (_) @body) @method
(operator_declaration "operator" @name) @method
(operator_declaration "operator" @name body: (_) @body) @method
(conversion_operator_declaration "operator" @name) @method
(conversion_operator_declaration "operator" @name body: (_) @body) @method
(indexer_declaration "this" @name) @property
(indexer_declaration "this" @name accessors: (_) @body) @property
(local_function_statement name: (_) @name body: (_) @body) @function
(property_declaration name: (_) @name) @property
(property_declaration name: (_) @name accessors: (_) @body) @property
(event_declaration name: (_) @name) @property
(event_declaration name: (_) @name accessors: (_) @body) @property
(event_field_declaration (variable_declaration
  (variable_declarator name: (_) @name))) @property
(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @property
(field_declaration (modifier "const")
  (variable_declaration (variable_declarator name: (_) @name))) @constant
"""

GRAMMAR = Grammar(
    language="csharp",
    wheel="tree-sitter-c-sharp",
    query=QUERY,
    joints=r"\.",
    keywords=keywords(
        "abstract as async await base bool break byte case catch char checked class const continue"
        " decimal default delegate do double else enum event explicit extern false finally fixed"
        " float for foreach get goto if implicit in init int interface internal is lock long"
        " namespace new null object operator out override params partial private protected public"
        " readonly record ref required return sbyte sealed set short sizeof stackalloc static"
        " string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using"
        " value var virtual void volatile where while yield"
    ),
)
