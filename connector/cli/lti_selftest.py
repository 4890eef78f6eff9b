"""``kopir lti selftest``: this tool tried as a certification tries one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say, translate
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show, terminal_language
from connector.host.selftest import Report, SelftestLms, Verdict, command_line, run_live, run_shipped


@click.command()
@click.option("--url", help="A live deployment of this installation; without it the shipped server is started.")
@click.option("--consent", is_flag=True, help="With --url: a school of the run is made here, and removed afterwards.")
@click.option("--listen", default="127.0.0.1", show_default=True,
              help="With --url: this computer's address as the deployment reaches it.")  # fmt: skip
@click.option("--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Write the redacted messages there.")
@json_option
@explained
def selftest(url: str | None, consent: bool, listen: str, evidence: Path | None, as_json: bool) -> None:
    """Try the certification's 43 cases and what else has broken tools; exit 0 only if every case passes."""
    if evidence is not None:
        _check_writable(evidence)
    tell = _silent if as_json else _tell
    report = run_shipped(tell) if url is None else _live(url, consent, listen, as_json)
    language = terminal_language()
    if evidence is not None:
        evidence.write_text(json.dumps(report.evidence(language), ensure_ascii=False, indent=2) + "\n", "utf-8")
    show(report.as_json(language), as_json=as_json, text=_summary(report, language))
    if not report.passed:
        sys.exit(1)


def _check_writable(path: Path) -> None:
    """Refuse a place that cannot be written to before minutes are spent."""
    try:
        path.touch()
    except OSError as error:
        raise Fatal(
            "bad_file", say(N_("{path} cannot be written: {error}"), path=path, error=error.strerror)
        ) from error


def _live(url: str, consent: bool, listen: str, as_json: bool) -> Report:
    lms = SelftestLms(listen)
    try:
        if not consent:
            _say_what_is_needed(lms, as_json)
        with opened_runtime() as runtime:
            return run_live(runtime, url, lms, _silent if as_json else _tell)
    finally:
        lms.close()


def _say_what_is_needed(lms: SelftestLms, as_json: bool) -> None:
    """Say what would be made here and leave: nothing was done yet."""
    command = command_line(lms)
    text = say(
        N_(
            "On a live deployment a platform and a school of its own are registered for the run, as by the command "
            "below, and removed afterwards. Real schools are not touched. Run it again with --consent to agree."
        )
    )
    shown = translate(text, terminal_language())
    show({"needs": "consent", "register": command}, as_json=as_json, text=f"{shown}\n\n{command}")
    sys.exit(2)


def _silent(_verdict: Verdict) -> None:
    """Say nothing: the report is read by a program."""


def _tell(verdict: Verdict) -> None:
    row = verdict.row(terminal_language())
    mark = click.style("✓", fg="green") if verdict.passed else click.style("✗", fg="red")
    click.echo(f"{mark} {row['id']:22} {row['title']}")
    if not verdict.passed:
        text = say(N_("expected: {expected}; seen: {seen}; {clause}"), **{name: row[name] for name in _SHOWN})
        click.echo(f"  {translate(text, terminal_language())}")


_SHOWN = ("expected", "seen", "clause")


def _summary(report: Report, language: str) -> str:
    counts = say(
        N_(
            "{cases_passed} of {cases} cases passed, of the certification's {certification_passed} of "
            "{certification_cases}, in {seconds} s."
        ),
        **report.counts(),
        seconds=report.seconds,
    )
    lines = [translate(counts, language)]
    untried = [verdict for verdict in report.verdicts if verdict.seen == "not tried"]
    if untried:
        names = ", ".join(verdict.case.id for verdict in untried)
        lines.append(translate(say(N_("Not tried, which counts as failed: {names}."), names=names), language))
    return "\n".join(lines)
