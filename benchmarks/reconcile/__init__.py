"""Plans of ten thousand to a million cells, beside a bare merge of the same files."""
