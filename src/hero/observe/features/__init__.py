"""Experts whose tracks are features of pretrained encoders."""
