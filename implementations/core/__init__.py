"""The few ideas that all papers share."""
