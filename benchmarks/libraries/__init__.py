"""Flows of four libraries, called alike."""
