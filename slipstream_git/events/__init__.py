"""What happened: a line a happening, appended by whoever did it, and folded by whoever looks."""
