"""Pretrained networks from local folders: strict loading, tokenizers, devices and precisions."""
