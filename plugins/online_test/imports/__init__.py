"""Question files in, reports out."""
