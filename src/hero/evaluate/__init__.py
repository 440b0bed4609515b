"""Evaluation: metrics as pure functions, and the tables built from them."""
