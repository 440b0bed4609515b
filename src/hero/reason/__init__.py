"""Reasoning: from a case file to a verdict in which every sentence cites its evidence."""
