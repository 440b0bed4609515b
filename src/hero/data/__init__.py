"""Data sets: readers of their published files, folds and splits."""
