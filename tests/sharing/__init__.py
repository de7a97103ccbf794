"""Work that goes to other repositories and comes from them."""
