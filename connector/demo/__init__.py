"""The rehearsal: LMS, Kopir and journal side by side."""
