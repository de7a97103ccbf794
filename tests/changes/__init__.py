"""Sessions, staging, landing and recovery, over real repositories."""
