"""One file per data set: its published layout read into arrays, nothing trained and nothing changed."""
