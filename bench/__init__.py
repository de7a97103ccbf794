"""What slip costs and whether it is right, measured: `speed.py`, `history.py`, `agents`."""
