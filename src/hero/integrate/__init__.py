"""Integration: weights per modality, conflicts, and what is missing."""
