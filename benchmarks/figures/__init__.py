"""One module for each figure; see :mod:`benchmarks.figures.d1` for what one holds."""
