"""Matchers: what finds pairs of points, and the stage that turns these into masks."""
