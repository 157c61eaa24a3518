"""How near flows come to densities that are known."""
