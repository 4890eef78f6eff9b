"""The ground floor: errors, ids, clock, configuration, translations, the guarded outbound session."""
