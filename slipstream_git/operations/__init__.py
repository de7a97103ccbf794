"""The table of operations, which every face walks."""
