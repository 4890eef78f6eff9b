"""Delivery of plugins' scores to the LMS they were earned in."""
