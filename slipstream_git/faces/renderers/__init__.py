"""One module for each area of operations; `RENDERERS` has its shapes by name."""
