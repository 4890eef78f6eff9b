"""When a connection is compared by itself: its hours, its pauses, and the claim that makes each hour one run."""
