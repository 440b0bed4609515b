"""Network blocks that several parts share: plain PyTorch, plain keyword arguments, no config objects."""
