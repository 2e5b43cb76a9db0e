"""Networks and baselines, one file each."""
