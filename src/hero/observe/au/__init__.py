"""Action units from any source in one schema: MediaPipe, OpenFace 2 tables, OpenFace's own program, py-feat."""
