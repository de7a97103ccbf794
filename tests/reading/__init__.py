"""Tests of reading: views, outlines, maps, search."""
