"""Frozen pretrained encoders: pictures, motion, sound and words into features."""
