"""Tests of the room that knows git: objects, worktrees, recovery."""
