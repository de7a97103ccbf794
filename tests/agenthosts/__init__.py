"""Tests of memory: facts, their place in history, recall, digests."""
