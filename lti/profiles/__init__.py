"""What each LMS does differently, as data with a reason and a link."""
