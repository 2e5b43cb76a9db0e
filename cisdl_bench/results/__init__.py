"""Finished results on disk: read, summarised, compared."""
