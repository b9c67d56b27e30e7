"""Make pictures with Ideogram in Django; see README.md."""
