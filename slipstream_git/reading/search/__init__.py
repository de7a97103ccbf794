"""Search over any tree, from an index that is keyed by blob and never stale."""
