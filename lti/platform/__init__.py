"""Kopir as the platform: a hardened wrapper over lti1p3platform."""
