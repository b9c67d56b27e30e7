"""A small shop that uses every public name, as a strictly typed site would.

``mypy --config-file tests/sample_site/mypy.ini`` holds its types; ``site_tests.py`` runs it.
"""
