#!/bin/sh
# Runs once, when the database is first made: the two small roles the application connects as.
# Neither owns a table, neither is a superuser: row-level security binds both.
set -eu
psql -v ON_ERROR_STOP=1 -v web="$(cat /run/secrets/web_password)" -v desk="$(cat /run/secrets/desk_password)" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE kopir_app NOLOGIN;
CREATE ROLE kopir_service NOLOGIN;
CREATE ROLE kopir_web LOGIN PASSWORD :'web' IN ROLE kopir_app;
CREATE ROLE kopir_desk LOGIN PASSWORD :'desk' IN ROLE kopir_service;
SQL
