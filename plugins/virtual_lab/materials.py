"""What a teacher can put beside the lab on the course's page: the task in words, the circuit, a form to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from markupsafe import Markup, escape

from plugins.contract import N_, Material, MaterialKind, Visit
from plugins.virtual_lab.ohm import MAX_VOLTAGE, MIN_VOLTAGE, WANTED_READINGS

_STEPS = (
    N_("Set a voltage, read the ammeter, and do so at {count} voltages or more."),
    N_("Find the resistance of the unknown resistor from your readings."),
    N_("Predict the current at the voltage you are given, and hand in the report."),
)
_CIRCUIT = Path(__file__).parent / "static" / "circuit.svg"
Maker = Callable[[Visit], Material]


def offered_by(accepts: frozenset[MaterialKind]) -> Mapping[str, Maker]:
    """Return what can be placed where these kinds are taken; the form is a file, else a link."""
    found: dict[str, Maker] = {}
    if MaterialKind.HTML in accepts:
        found["task"] = _task
    if MaterialKind.IMAGE in accepts:
        found["circuit"] = _circuit
    if MaterialKind.FILE in accepts:
        found["form"] = lambda visit: _form(visit, MaterialKind.FILE)
    elif MaterialKind.LINK in accepts:
        found["form"] = lambda visit: _form(visit, MaterialKind.LINK)
    return found


def _steps(visit: Visit) -> Markup:
    steps = (visit.t(step, count=WANTED_READINGS) for step in _STEPS)
    return Markup("<ol>{}</ol>").format(Markup("").join(Markup("<li>{}</li>").format(step) for step in steps))


def _task(visit: Visit) -> Material:
    title = visit.t("Ohm's law: the task")
    html = Markup("<h3>{}</h3>{}").format(title, _steps(visit))
    return Material(MaterialKind.HTML, title, html=str(html))


def _circuit(visit: Visit) -> Material:
    title = visit.t("Ohm's law: the circuit")
    return Material(MaterialKind.IMAGE, title, "", _CIRCUIT.read_bytes(), "image/svg+xml", "circuit.svg")


def _form(visit: Visit, kind: MaterialKind) -> Material:
    """Return the form for notes by hand, as a page of its own with nothing that runs."""
    title = visit.t("Ohm's law: a form for notes")
    columns = (visit.t("Voltage, V"), visit.t("Current, A"), visit.t("Resistance, Ω"))
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("№", *columns))
    empty = "".join(f"<tr><td>{number}</td><td></td><td></td><td></td></tr>" for number in range(1, 9))
    style = "body{font:16px sans-serif;margin:2rem}table{border-collapse:collapse;width:100%}"
    style += "td,th{border:1px solid #444;height:2rem;padding:0 .5rem;text-align:left}"
    page = (
        f'<!doctype html><html lang="{visit.viewer.language}"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style><h1>{escape(title)}</h1>{_steps(visit)}"
        f"<p>{escape(visit.t('From {least} to {most} V.', least=MIN_VOLTAGE, most=MAX_VOLTAGE))}</p>"
        f"<table><tr>{heads}</tr>{empty}</table></html>"
    )
    return Material(kind, title, "", page.encode(), "text/html; charset=utf-8", "ohm.html")
