"""Observations of many clips: one pass over each, one file for each, a table over all; on one machine or on many."""
