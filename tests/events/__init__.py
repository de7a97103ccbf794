"""Tests of events: the log, its fold, and what verbs tell."""
