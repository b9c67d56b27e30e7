"""Bulk runs: many pictures as one record, with brakes.

A run owns drafts. While it runs, a drain starts a few of them at a time (``feeding``), so that a
pause takes hold at once, a ceiling is never passed, and an editor's single picture never waits
behind a thousand. ``steering`` is what people may ask of a run, ``reporting`` what came of it.

These modules take instances and querysets and never import the pictures' model.
"""
