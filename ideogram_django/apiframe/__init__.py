"""The provider, Apiframe, as plain Python: no Django, no settings, no database."""
