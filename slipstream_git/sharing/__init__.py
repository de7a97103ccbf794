"""Work that goes to other repositories and comes from them, through any git server."""
