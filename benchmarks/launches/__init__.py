"""Logins and launches per second, as shipped and beside a peer."""
