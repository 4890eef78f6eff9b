"""Platform storage, offered to tools whose cookies a browser blocks (1EdTech LTI Platform Storage 0.1).

A page of the platform that shows a tool in a frame carries ``static/storage.js``, which answers the tool's
``lti.put_data`` and ``lti.get_data``; the login says so with ``lti_storage_target``. What tools keep lives as long as
the page does, and each tool's origin sees its own alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "static" / "storage.js"
PARENT = "_parent"


@dataclass(frozen=True)
class StorageOffer:
    """How a platform offers storage.

    Attributes:
        frame: ``_parent``, where the page around the tool answers, else the name of a frame beside the tool's.
        announced: Answer only frames that announced themselves with ``org.sakailms.lti.prelaunch``, as Sakai does.
    """

    frame: str = PARENT
    announced: bool = False

    def login_fields(self) -> dict[str, str]:
        """Return what a login adds to say where the storage is."""
        return {"lti_storage_target": self.frame}

    def script_data(self, origins: Iterable[str]) -> Mapping[str, str]:
        """Return the data attributes of the script's element: the origins of the tools that may ask, and how."""
        return {"tools": " ".join(sorted(origins)), "frame": self.frame, "announced": "yes" if self.announced else ""}
