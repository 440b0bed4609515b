"""A clip on one clock: picture, sound and words, opened lazily."""
