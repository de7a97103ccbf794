"""PHP. Traits are classes; names of properties are without the dollar sign."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(comment) @comment
(string) @blank
(encapsed_string) @blank
(heredoc) @blank
(nowdoc) @blank
(shell_command_expression) @blank
(text) @blank
(attribute_list) @attribute
(namespace_use_declaration (namespace_use_clause . (qualified_name) @import))
(namespace_use_declaration (namespace_use_clause . (name) @import))
(namespace_use_declaration (namespace_name) @import)
(require_expression (string) @import)
(require_once_expression (string) @import)
(include_expression (string) @import)
(include_once_expression (string) @import)
(anonymous_function) @closure
(arrow_function) @closure

(namespace_definition name: (_) @name) @module
(namespace_definition name: (_) @name body: (_) @body) @module
(class_declaration name: (_) @name body: (_) @body) @class
(trait_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @interface
(enum_declaration name: (_) @name body: (_) @body) @enum
(enum_case name: (_) @name) @constant
(const_declaration (const_element . (name) @name)) @constant
(function_call_expression function: (name) @_f
  arguments: (arguments . (argument (string (string_content) @name)))
  (#eq? @_f "define")) @constant
(property_declaration (property_element name: (variable_name (name) @name))) @property
(method_declaration name: (_) @name) @method
(method_declaration name: (_) @name body: (_) @body) @method
(function_definition name: (_) @name body: (_) @body) @function
"""

GRAMMAR = Grammar(
    language="php",
    wheel="tree-sitter-php",
    maker="language_php",
    query=QUERY,
    keywords=keywords(
        "abstract and array as bool break callable case catch class clone const continue declare"
        " default do echo else elseif empty enddeclare endfor endforeach endif endswitch endwhile"
        " enum exit extends false final finally float fn for foreach from function global goto if"
        " implements include include_once instanceof insteadof int interface isset list match mixed"
        " namespace new null or parent php print private protected public readonly require"
        " require_once return self static string switch this throw trait true try unset use var"
        " void while xor yield"
    ),
)
