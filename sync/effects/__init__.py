"""The one ledger of effects: every remote write of a mark passes it, whoever asked for it."""
