"""A sync from its first read to its last word: joining people, planning, approving, applying, undoing, showing."""
