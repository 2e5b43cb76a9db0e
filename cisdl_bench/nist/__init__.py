"""NIST's splice task: index, submission, no-score zones, and MediScore's numbers."""
