"""The rehearsal LMS's pages."""
