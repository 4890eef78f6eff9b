"""``kopir mapping``: check a mapping file, run its examples, print its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from connector.base.i18n import LANGUAGES, N_, say, translate
from connector.cli.output import json_option, terminal_language
from mappings.findings import Finding, errors_in
from mappings.json_schema import json_schema
from mappings.load import MappingError, load_mapping, read_mapping
from mappings.rings import ring_findings
from mappings.rules import mapping_hash
from mappings.run_tests import ExampleResult, run_tests
from mappings.schema import MappingFile

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
_FILE = click.argument("file", type=click.Path(path_type=Path))
_LANGUAGE = click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=terminal_language,
    help="Language of the messages; by default the terminal's.",
)


@click.group()
def mapping() -> None:
    """Check and try mapping files."""


@mapping.command()
@_FILES
@json_option
@_LANGUAGE
def validate(files: tuple[Path, ...], as_json: bool, language: str) -> None:
    """Check mapping FILES, each by itself and all of them together; every fault with its place and remedy.

    Several files are taken for one school's: values that would go round through them are a fault of each. Exit 1 when
    one cannot be used.
    """
    read = {file: read_mapping(file) for file in files}
    rings = ring_findings({str(file): typed for file, (typed, _) in read.items() if typed is not None})
    reports = [
        _report(file, typed, [*found, *rings.get(str(file), [])], language) for file, (typed, found) in read.items()
    ]
    if as_json:
        _print_json(reports)
    else:
        for report in reports:
            click.echo("\n".join(report["lines"]))
    raise SystemExit(0 if all(report["valid"] for report in reports) else 1)


def _report(file: Path, typed: MappingFile | None, findings: list[Finding], language: str) -> dict[str, Any]:
    valid = typed is not None and not errors_in(findings)
    lines = [finding.render(language) for finding in findings]
    if valid:
        lines.append(f"{file}: {translate(N_('The mapping can be used.'), language)}")
    return {
        "file": str(file),
        "valid": valid,
        "version": mapping_hash(typed) if typed is not None and valid else None,
        "findings": [finding.as_dict(language) for finding in findings],
        "lines": lines,
    }


@mapping.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON (the schema is JSON either way).")
def schema(as_json: bool) -> None:
    """Print the JSON Schema of mapping files, for editors."""
    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=None if as_json else 2))


@mapping.command()
@_FILE
@json_option
@_LANGUAGE
def test(file: Path, as_json: bool, language: str) -> None:
    """Run the examples under ``tests`` of FILE. Exit 1 when one fails or the file has none or cannot be used."""
    try:
        results = run_tests(load_mapping(file))
    except MappingError as error:
        _print_faults(file, error.findings, as_json, language)
        raise SystemExit(1) from error
    failed = [result for result in results if not result.passed]
    if as_json:
        rows = [_row(result, language) for result in results]
        _print_json({"file": str(file), "passed": len(results) - len(failed), "failed": len(failed), "examples": rows})
    else:
        _print_results(results, language)
    raise SystemExit(1 if failed or not results else 0)


def _print_faults(file: Path, findings: Sequence[Finding], as_json: bool, language: str) -> None:
    if as_json:
        rows = [finding.as_dict(language) for finding in findings]
        _print_json({"file": str(file), "passed": 0, "failed": 0, "examples": [], "findings": rows})
    else:
        click.echo("\n".join(finding.render(language) for finding in findings))


def _row(result: ExampleResult, language: str) -> dict[str, Any]:
    return {
        "number": result.number,
        "passed": result.passed,
        "expected": result.expected,
        "got": result.got,
        "message": translate(result.message, language) if result.message else None,
    }


def _print_results(results: Sequence[ExampleResult], language: str) -> None:
    for result in results:
        detail = f"{result.expected}" if result.message is None else translate(result.message, language)
        click.echo(f"{'✓' if result.passed else '✗'} {result.number}  {detail}")
    passed = sum(result.passed for result in results)
    click.echo(translate(say(N_("Examples passed: {passed} of {count}."), passed=passed, count=len(results)), language))


def _print_json(value: Any) -> None:
    if isinstance(value, list):
        value = [{key: item for key, item in entry.items() if key != "lines"} for entry in value]
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
