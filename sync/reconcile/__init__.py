"""Deciding (pure) and applying (journaled) what two systems should agree on."""
