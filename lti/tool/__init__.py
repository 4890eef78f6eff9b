"""Kopir as the tool: login, launch, deep linking, service tokens, AGS and NRPS."""
