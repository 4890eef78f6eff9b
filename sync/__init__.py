"""The canonical model, reconciliation, the systems on both sides, and the jobs."""
