"""Other people's pictures and data sets: from their files to what detectors look at."""
