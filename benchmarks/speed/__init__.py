"""How long flows take, and how much memory."""
