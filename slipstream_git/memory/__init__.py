"""What was learned, on the commit where it was learned: kept, found again, and told."""
