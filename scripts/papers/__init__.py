"""Papers' files, read as text: cells, what they import, their fingerprints."""
