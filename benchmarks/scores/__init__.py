"""Scores delivered per second, journaled and read back, beside a client that only posts them."""
