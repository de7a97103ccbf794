"""Sessions that meet: overlaps, conflicts, rebase, resolution, landing in order."""
