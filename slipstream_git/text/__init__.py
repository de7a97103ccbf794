"""Bytes in, bytes out: what an edit means. No git, no clock, no disk."""
