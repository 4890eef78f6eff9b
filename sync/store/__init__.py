"""What the sync remembers: tables, and small repositories over them."""
