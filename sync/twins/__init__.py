"""Stateful stand-ins of real systems, for tests, the demo and rehearsals."""
