"""The web application: launches, plugin pages, the console."""
