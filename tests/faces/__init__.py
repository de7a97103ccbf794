"""How the table of operations looks from outside."""
