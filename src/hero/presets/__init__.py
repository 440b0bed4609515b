"""Presets as YAML: the experts, the integration and the reasoner of one way through the pipeline."""
