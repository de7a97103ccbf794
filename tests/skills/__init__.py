"""Skills: their files, their walks, and each in a repository where its gate is red."""
