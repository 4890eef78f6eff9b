"""Speed, always as a ratio to a peer or to a physical limit measured in the same alternated run."""
