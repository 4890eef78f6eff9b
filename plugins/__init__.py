"""What a teacher can place in a course."""
