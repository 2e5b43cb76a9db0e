"""Losses, stages and experiments: training as the paper does, one command a row of Table I."""
