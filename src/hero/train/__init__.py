"""Training beside the chain: losses as pure functions, modality dropout, and the teacher that sees every modality."""
