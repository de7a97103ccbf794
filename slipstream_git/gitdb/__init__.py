"""The object database and everything else that is git's; the only room that knows libgit2."""
