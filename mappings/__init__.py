"""Mapping files: what an integrator writes, and what reads it. Files in, values out."""
