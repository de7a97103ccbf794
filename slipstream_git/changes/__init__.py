"""The change set: sessions, staging, history, conflicts, landing."""
