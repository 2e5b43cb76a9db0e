"""Detectors times pairs: one row of counts and scores a pair, and what follows from it."""
