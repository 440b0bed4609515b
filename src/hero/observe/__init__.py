"""Experts: from a clip to tracks and descriptive evidence."""
