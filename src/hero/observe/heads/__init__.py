"""Small learned heads: posteriors over emotion labels from what an expert measured."""
