"""Sessions beside each other: who meets whom, and what becomes of a conflict."""
