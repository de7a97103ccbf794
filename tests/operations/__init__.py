"""The operations as a caller of the command line meets them."""
