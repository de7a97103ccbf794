"""Reading: what stands in a tree, told to a reader with a budget, and found fast."""
