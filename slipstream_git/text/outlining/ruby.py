"""Ruby. Attributes made by `attr_accessor` and its like are properties."""

from __future__ import annotations

from slipstream_git.text.outlining.grammar import Grammar, keywords

QUERY = """
(comment) @comment
(string) @blank
(heredoc_body) @blank
(regex) @blank
(subshell) @blank
(string_array) @blank
(character) @blank
(interpolation) @code
(call method: (identifier) @_m arguments: (argument_list . (string) @import)
  (#any-of? @_m "require" "require_relative" "load"))
(do_block) @closure
(block) @closure
(lambda) @closure

(singleton_class value: (_) @name) @scope
(module name: (_) @name) @module
(module name: (_) @name body: (_) @body) @module
(class name: (_) @name) @class
(class name: (_) @name body: (_) @body) @class
(assignment left: (constant) @name) @constant
(assignment left: (scope_resolution) @name) @constant
(assignment left: (global_variable) @name) @variable
(method name: (_) @name) @function
(method name: (_) @name body: (_) @body) @function
(singleton_method object: (_) @owner name: (_) @name) @method
(singleton_method object: (_) @owner name: (_) @name body: (_) @body) @method
(alias name: (_) @name) @function
(call method: (identifier) @_m arguments: (argument_list (simple_symbol) @name)
  (#any-of? @_m "attr_reader" "attr_writer" "attr_accessor")) @property
(call method: (identifier) @_m arguments: (argument_list . (simple_symbol) @name)
  (#any-of? @_m "define_method" "alias_method")) @function
"""

GRAMMAR = Grammar(
    language="ruby",
    wheel="tree-sitter-ruby",
    query=QUERY,
    joints=r"::",
    word=rb"[\w\x80-\xff]+[?!]?",
    unnamed=frozenset({"self"}),
    modular=True,
    keywords=keywords(
        "BEGIN END alias and begin break case class def do else elsif end ensure false for if in"
        " module next nil not or redo rescue retry return self super then true undef unless until"
        " when while yield defined? __FILE__ __LINE__ __method__"
    ),
)
