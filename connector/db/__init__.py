"""The database: engine, types, school-owned tables, row-level security, migrations."""
