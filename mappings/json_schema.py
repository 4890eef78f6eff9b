"""The mapping file's JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from mappings.schema import SYSTEMS, MappingFile

SCHEMA_ID = "urn:kopir:mapping:1"


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema draft 2020-12)."""
    schema = MappingFile.model_json_schema(by_alias=True, mode="validation")
    for side in schema["$defs"]["Pair"]["properties"].values():
        side["pattern"] = rf"^({'|'.join(SYSTEMS)}):\S{{1,200}}$"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
