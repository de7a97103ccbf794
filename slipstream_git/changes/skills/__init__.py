"""Skills: found, checked, and walked step by step past gates (docs/skills.md)."""
