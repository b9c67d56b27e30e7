"""From an address to a trustworthy picture. Plain Python: no Django, no settings."""
