"""Weights on disk: ours, the published ones, Keras', and a user's own program."""
