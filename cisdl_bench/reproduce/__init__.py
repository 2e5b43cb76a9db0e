"""A published table or figure from nothing: sets, training, scores, and a verdict row by row."""
