"""Other programs that stand beside Kopir in a measurement; they run only in the benchmarks' environment."""
