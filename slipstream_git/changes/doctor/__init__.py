"""`slip doctor`: one small function a check, each saying what is wrong and what to type."""
