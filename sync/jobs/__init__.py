"""The queue (a lease table), its dispatchers and its workers."""
