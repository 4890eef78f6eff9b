"""Plans made from stored snapshots by the whole of the sync, beside a bare merge of the same rows."""
