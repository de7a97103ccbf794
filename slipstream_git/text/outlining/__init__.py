"""What each language calls a definition: one table or query a file, and what all of them share."""
