"""People are told: an at-once notice and a weekly digest, by e-mail or webhook, with counts and links and no names."""
