"""How exact and robust flows are: the same questions to all libraries."""
