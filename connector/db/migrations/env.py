"""Alembic's environment: it runs on the connection it is given, inside one transaction."""

from __future__ import annotations

from alembic import context

options = context.config.attributes
context.configure(
    connection=options["connection"],
    target_metadata=options["metadata"],
    render_as_batch=True,
    compare_type=True,
    include_object=options.get("include_object"),
    user_module_prefix="types.",
)
with context.begin_transaction():
    context.run_migrations()
