"""Figures, one file each: the file's name is the figure's, its ``FIGURE`` says how to draw it."""
