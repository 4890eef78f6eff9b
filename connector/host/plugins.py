"""Find the plugins; one that fails to load is switched off and named, and the rest run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from connector.base.i18n import catalogue
from connector.base.log import get_logger
from plugins.contract import Plugin

GROUP = "kopir.plugins"
log = get_logger("host.plugins")


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that is switched off, and the class of the error that did it."""

    name: str
    error: str


def load_plugins() -> tuple[Mapping[str, Plugin], tuple[PluginFailure, ...]]:
    """Return the plugins that load, by id, and those that do not."""
    found: dict[str, Plugin] = {}
    failures: list[PluginFailure] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda item: item.name):
        try:
            plugin = _load(entry, found)
        except Exception as error:  # noqa: BLE001 -- a third party's import may raise anything; the rest must run.
            log.warning("plugin_off", plugin=entry.name, error=type(error).__name__)
            failures.append(PluginFailure(entry.name, f"{type(error).__name__}: {error}"))
            continue
        found[plugin.manifest.id] = plugin
    return found, tuple(failures)


def _load(entry: EntryPoint, found: Mapping[str, Plugin]) -> Plugin:
    plugin: Plugin = entry.load()
    if plugin.manifest.id in found:
        raise ValueError(f"two plugins call themselves {plugin.manifest.id}")
    plugin.routes()
    plugin.jobs()
    catalogue.add(plugin.manifest.package / "i18n")
    return plugin
