"""Recipes: everything needed to make a library of pictures again, one JSON object a line.

``lines`` is the format, ``values`` what stands in it, ``exporting`` writes it, ``originals`` finds
the files that belong to it, ``importing`` takes it in: what is here stays, what is found is taken
over, and of the rest is told what making it would cost (``reporting``). ``family`` links them.
"""
