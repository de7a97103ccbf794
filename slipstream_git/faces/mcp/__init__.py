"""`slip mcp`: the table of operations as tools of the Model Context Protocol, for agents' hosts."""
