"""A small tree of an XML file that knows its lines; no document type, no entities, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException
from defusedxml.sax import parseString

from plugins.contract import N_, say
from plugins.online_test.imports.report import Reason

MAX_DEPTH = 40
MAX_NODES = 200_000


@dataclass
class Node:
    """One element: its name, attributes, own text, children, and the line it starts on."""

    name: str
    attrs: dict[str, str]
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node | None:
        """Return the first child of a name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Node]:
        """Return the children of a name."""
        return (child for child in self.children if child.name == name)

    def value(self, name: str, default: str = "") -> str:
        """Return the text of a child, or of the ``text`` element inside it."""
        found = self.child(name)
        if found is None:
            return default
        inner = found.child("text")
        return (found if inner is None else inner).text.strip()


class _TooBigError(SAXParseException):
    """The tree is deeper or larger than any question file."""


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root: Node | None = None
        self.finished: list[Node] = []
        self._open: list[Node] = []
        self._parts: list[list[str]] = []
        self._count = 0
        self._locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_NODES:
            raise _TooBigError("too big", None, self._locator)  # type: ignore[arg-type]
        node = Node(name, dict(attrs.items()), self._locator.getLineNumber() or 1 if self._locator else 1)
        if self._open:
            self._open[-1].children.append(node)
        elif self.root is None:
            self.root = node
        self._open.append(node)
        self._parts.append([])

    def characters(self, content: str) -> None:
        if self._parts:
            self._parts[-1].append(content)

    def endElement(self, name: str) -> None:
        node = self._open.pop()
        node.text = "".join(self._parts.pop())
        if len(self._open) == 1:
            self.finished.append(node)


def read_tree(content: bytes) -> tuple[str, list[Node], Reason | None]:
    """Return the root's name, its complete children, and where and why reading stopped, if it did.

    What stood whole before a fault is returned, so that a report can list it.
    """
    builder = _Builder()
    fault: Reason | None = None
    try:
        parseString(content, builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        message = say(N_("The file declares a document type or entities; such files are refused."))
        return "", [], Reason(1, message)
    except _TooBigError as error:
        fault = Reason(error.getLineNumber() or 1, say(N_("The file is nested too deep or has too many parts.")))
    except SAXParseException as error:
        fault = Reason(error.getLineNumber() or 1, say(N_("The XML breaks off here; what follows was not read.")))
    except (LookupError, ValueError):
        fault = Reason(1, say(N_("The file names an encoding that is not known. Save it as UTF-8.")))
    return (builder.root.name if builder.root else ""), builder.finished, fault
