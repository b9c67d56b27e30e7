"""Prompt profiles: named, versioned templates with a part that nobody can change in passing."""
