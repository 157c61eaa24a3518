"""The generator: one YAML file in, the README and the website out."""
