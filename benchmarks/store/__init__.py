"""How rows come into the store: the sync's own writes beside the toolkit's objects, one by one."""
