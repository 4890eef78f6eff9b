"""One adapter per system behind one contract."""
