"""`slip serve`: the process, its clients, and what it answers them."""
