"""How fast the app is, beside a naive peer and the machine's limit: ``python3 run.py bench``."""
