"""The LTI 1.3 Advantage protocol; knows no web framework, no database and no school."""
