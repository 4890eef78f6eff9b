"""Match people and columns of two systems, and find a place for a column that has no counterpart.

A link is certain: it was made from an id both systems stand by. A name never links anybody; it proposes, a person
accepts, and namesakes wait. Whatever is not matched comes back with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connector.base.i18n import N_, Message, say
from mappings.names import fold_name, is_damaged, normalise_name
from sync.model import Person, Role
from sync.reconcile.alike import same_but_for_lost_letters, same_in_latin


class Link(NamedTuple):
    """Two external ids that stand for one person or column."""

    left: str
    right: str


class IdentityRow(NamedTuple):
    """One row of an uploaded identity file.

    Attributes:
        type: Kind of identifier, as in ``Person.identifiers``: ``idnumber``, ``iin_hmac``.
        value: Its value on left's side; an IIN only as its keyed hash.
        right: Right's person id.
    """

    type: str
    value: str
    right: str


class Pair(NamedTuple):
    """A match or a proposal, and the rule that made it (``explain_match``)."""

    left: str
    right: str
    rule: str


class Apart(NamedTuple):
    """An id without a match, why, and which ids came into question.

    Attributes:
        id: The left id in ``left_only``, ``ambiguous`` and ``conflicts``; the right id in ``right_only``.
        reason: Reason code (``explain_match``).
        candidates: Ids of the other side.
    """

    id: str
    reason: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class MatchResult:
    """Who is who; every id of both sides is in it, in the order of the inputs.

    Attributes:
        linked: Certain pairs; only these carry values.
        proposed: Pairs for a person to accept.
        ambiguous: Left ids with several candidates, or whose candidate has several.
        left_only: Left ids without a candidate.
        right_only: Right ids that nothing was linked or proposed to.
        conflicts: Left ids whose links contradict each other; none of them carries values.
    """

    linked: tuple[Pair, ...] = ()
    proposed: tuple[Pair, ...] = ()
    ambiguous: tuple[Apart, ...] = ()
    left_only: tuple[Apart, ...] = ()
    right_only: tuple[Apart, ...] = ()
    conflicts: tuple[Apart, ...] = ()


JOINS = ("iin_hmac",)
"""Identifiers that prove a person wherever both systems give them."""


def match_people(
    left: Sequence[Person],
    right: Sequence[Person],
    links: Iterable[Link] = (),
    identity: Iterable[IdentityRow] = (),
    pinned: Iterable[Link] = (),
) -> MatchResult:
    """Match the members of one mapped group.

    The ladder: linked ids, then the identity file and identifiers both sides give, then proposals by name within
    the group, narrowed by birth dates where both sides have them.

    Args:
        left: Everyone left shows in the group.
        right: Everyone right shows in the group.
        links: Accepted links of this pair of systems; other groups' links may be among them.
        identity: Rows of the identity file.
        pinned: Links that a person fixed: nothing else is believed about their ids.
    """
    claims = Claims([person.id for person in left], [person.id for person in right])
    for link in pinned:
        claims.pin(link.left, link.right)
    for link in links:
        claims.add(link.left, link.right, "linked_id")
    for row in (*identity, *_shared_identifiers(right)):
        for person in left:
            if row.value and person.identifiers.get(row.type) == row.value:
                claims.add(person.id, row.right, row.type)
    lefts = [person for person in left if person.id not in claims.lefts]
    rights = [person for person in right if person.id not in claims.rights]
    proposed, ambiguous = _by_name(lefts, rights)
    proposed += _loosely(lefts, rights, proposed, ambiguous)
    proposed += _new_accounts(lefts, right, claims, proposed, ambiguous)
    return claims.result(proposed, ambiguous, {person.id: _unnamed(person) for person in (*left, *right)})


def _shared_identifiers(right: Sequence[Person]) -> Iterable[IdentityRow]:
    for person in right:
        for kind in JOINS:
            yield IdentityRow(kind, person.identifiers.get(kind, ""), person.id)


class Claims:
    """What certain rules say; an id claimed for two others is linked to neither."""

    def __init__(self, left: Sequence[str], right: Sequence[str]) -> None:
        """Take the ids of both sides."""
        self._left, self._right = left, right
        self._here, self._there = frozenset(left), frozenset(right)
        self._rules: dict[tuple[str, str], str] = {}
        self._by_left: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_right: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._pinned: dict[tuple[str, str], str] = {}

    def pin(self, left: str, right: str) -> None:
        """Fix a pair: what any rule says of either id against it is not heard."""
        self.add(left, right, "pinned")
        self._pinned |= {("left", left): right, ("right", right): left}

    def add(self, left: str, right: str, rule: str) -> None:
        """Note that a rule holds two ids for one; the first rule keeps its name."""
        if left not in self._here and right not in self._there:
            return
        if self._pinned.get(("left", left), right) != right or self._pinned.get(("right", right), left) != left:
            return
        self._rules.setdefault((left, right), rule)
        self._by_left[left][right] = None
        self._by_right[right][left] = None

    @property
    def lefts(self) -> frozenset[str]:
        """Left ids about which something certain was said."""
        return frozenset(self._by_left)

    @property
    def rights(self) -> frozenset[str]:
        """Right ids about which something certain was said."""
        return frozenset(self._by_right)

    def orphaned(self, right: str) -> bool:
        """Tell whether a right id is claimed, once, for a left id that is not in the group any more."""
        claimed = tuple(self._by_right[right]) if right in self._by_right else ()
        return len(claimed) == 1 and claimed[0] not in self._here and ("right", right) not in self._pinned

    def _contradicted(self, left: str) -> tuple[str, ...]:
        """Return what a left id is claimed for, when it or any of them is claimed twice."""
        rights = tuple(self._by_left[left])
        alone = len(rights) == 1 and len(self._by_right[rights[0]]) == 1
        return () if alone else rights

    def result(self, proposed: list[Pair], ambiguous: list[Apart], unnamed: dict[str, str]) -> MatchResult:
        """Sort every id of both sides into its place."""
        linked, conflicts, left_only = [], [], []
        open_lefts = {pair.left for pair in proposed} | {apart.id for apart in ambiguous}
        for mine in self._left:
            claimed = tuple(self._by_left[mine]) if mine in self._by_left else ()
            if claimed and (against := self._contradicted(mine)):
                conflicts.append(Apart(mine, "contradicting_links", against))
            elif claimed and claimed[0] in self._there:
                linked.append(Pair(mine, claimed[0], self._rules[mine, claimed[0]]))
            elif claimed:
                left_only.append(Apart(mine, "counterpart_not_here", claimed))
            elif mine not in open_lefts:
                left_only.append(Apart(mine, unnamed.get(mine) or "no_candidate"))
        taken = {pair.right for pair in (*linked, *proposed)}
        right_only = [self._right_apart(theirs, unnamed) for theirs in self._right if theirs not in taken]
        return MatchResult(
            tuple(linked), tuple(proposed), tuple(ambiguous), tuple(left_only), tuple(right_only), tuple(conflicts)
        )

    def _right_apart(self, right: str, unnamed: dict[str, str]) -> Apart:
        claimed = tuple(self._by_right[right]) if right in self._by_right else ()
        if len(claimed) > 1 or any(self._contradicted(left) for left in claimed):
            return Apart(right, "contradicting_links", claimed)
        return Apart(right, "counterpart_not_here" if claimed else unnamed.get(right) or "no_candidate", claimed)


def _unnamed(person: Person) -> str:
    name = _written(person)
    if not name.strip():
        return "no_name"
    return "damaged_name" if is_damaged(name) else ""


def _written(person: Person) -> str:
    return " ".join((person.family, person.given, person.patronymic)) if person.family else person.full_name


class _Named(NamedTuple):
    """A person and the words of the name; systems order them differently, so they are compared as sets."""

    person: Person
    exact: frozenset[str]
    folded: frozenset[str]


def _named(person: Person) -> _Named:
    name = "" if _unnamed(person) else _written(person)
    return _Named(person, frozenset(normalise_name(name).split()), frozenset(fold_name(name).split()))


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and one == other


def _shorter(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether one name is the other without its patronymic: at least two words, all of them in the other."""
    return min(len(one), len(other)) >= 2 and (one < other or other < one)


_Alike = Callable[[_Named, _Named], bool]
_NAME_RULES: tuple[tuple[str, _Alike], ...] = (
    ("name+class", lambda one, other: _same(one.exact, other.exact)),
    ("folded_name+class", lambda one, other: _same(one.folded, other.folded)),
    ("short_name+class", lambda one, other: _shorter(one.exact, other.exact)),
    ("short_folded_name+class", lambda one, other: _shorter(one.folded, other.folded)),
)


def _by_name(left: Sequence[Person], right: Sequence[Person]) -> tuple[list[Pair], list[Apart]]:
    """Propose whoever has one possible counterpart by name; whoever has several waits and is proposed to nobody.

    Namesakes are counted by the loosest comparison: an exact spelling or a given patronymic on one side does not tell
    two people apart whom the other side writes alike.
    """
    lefts, rights = [_named(person) for person in left], [_named(person) for person in right]
    proposed: list[Pair] = []
    ambiguous: list[Apart] = []
    for possible, fits, suffix in _NAME_PASSES:
        alone, ambiguous = sort_out(_candidates(lefts, rights, possible, fits), "")
        proposed += [pair._replace(rule=_surest(pair, lefts, rights) + suffix) for pair in alone]
        done, gone = {pair.left for pair in alone}, {pair.right for pair in alone}
        lefts = [named for named in lefts if named.person.id not in done]
        rights = [named for named in rights if named.person.id not in gone]
    return proposed, ambiguous


def _loosely(
    left: Sequence[Person], right: Sequence[Person], proposed: list[Pair], ambiguous: list[Apart]
) -> list[Pair]:
    """Propose among those whom no name brought together: one candidate each way, or nobody."""
    done = {pair.left for pair in proposed} | {apart.id for apart in ambiguous}
    gone = {pair.right for pair in proposed} | {right for apart in ambiguous for right in apart.candidates}
    pairs: list[Pair] = []
    for rule, alike in _LOOSE_RULES:
        lefts = [_named(person) for person in left if person.id not in done and _written(person).strip()]
        rights = [_named(person) for person in right if person.id not in gone and _written(person).strip()]
        found, unsure = sort_out(_candidates(lefts, rights, alike, _not_born_apart), rule)
        pairs += found
        # Whom one rule leaves in doubt, a looser one does not settle.
        done |= {pair.left for pair in found} | {apart.id for apart in unsure}
        gone |= {pair.right for pair in found} | {one for apart in unsure for one in apart.candidates}
    return pairs


def _in_two_alphabets(one: _Named, other: _Named) -> bool:
    return same_in_latin(_written(one.person), _written(other.person))


def _with_lost_letters(one: _Named, other: _Named) -> bool:
    return same_but_for_lost_letters(_written(one.person), _written(other.person))


def _other_family(one: _Named, other: _Named) -> bool:
    """Tell whether only the family name differs: same given name (and patronymic, where both have one), same birth."""
    mine, theirs = one.person, other.person
    if not (mine.family and mine.given and theirs.family and theirs.given) or not _born_alike(one, other):
        return False
    if mine.patronymic and theirs.patronymic and fold_name(mine.patronymic) != fold_name(theirs.patronymic):
        return False
    return fold_name(mine.given) == fold_name(theirs.given)


_LOOSE_RULES: tuple[tuple[str, _Alike], ...] = (
    ("latin_name+class", _in_two_alphabets),
    ("damaged_name+class", _with_lost_letters),
    ("other_family+birth+class", _other_family),
)


def _new_accounts(
    left: Sequence[Person], right: Sequence[Person], claims: Claims, proposed: list[Pair], ambiguous: list[Apart]
) -> list[Pair]:
    """Propose whom a new left account may belong to: somebody of this name whose known account is not here any more."""
    open_lefts = {pair.left for pair in proposed} | {apart.id for apart in ambiguous}
    lefts = [person for person in left if person.id not in open_lefts]
    pairs, _unsure = _by_name(lefts, [person for person in right if claims.orphaned(person.id)])
    return [pair._replace(rule="new_account") for pair in pairs]


def _surest(pair: Pair, lefts: Sequence[_Named], rights: Sequence[_Named]) -> str:
    mine = next(named for named in lefts if named.person.id == pair.left)
    theirs = next(named for named in rights if named.person.id == pair.right)
    return next(rule for rule, alike in _NAME_RULES if alike(mine, theirs))


def _in_full(one: _Named, other: _Named) -> bool:
    """Tell whether both names have a patronymic, as far as words show it, and are the same but for spelling."""
    return len(one.folded) > 2 and one.folded == other.folded


def _possibly(one: _Named, other: _Named) -> bool:
    return any(alike(one, other) for _, alike in _NAME_RULES)


def _born_alike(one: _Named, other: _Named) -> bool:
    return one.person.birth_date is not None and one.person.birth_date == other.person.birth_date


def _not_born_apart(one: _Named, other: _Named) -> bool:
    return None in (one.person.birth_date, other.person.birth_date) or _born_alike(one, other)


# What tells people apart best comes first; whoever is still in doubt after the last pass waits.
_NAME_PASSES: tuple[tuple[_Alike, _Alike, str], ...] = (
    (_in_full, _born_alike, "+birth"),
    (_possibly, _born_alike, "+birth"),
    (_in_full, _not_born_apart, ""),
    (_possibly, _not_born_apart, ""),
)


def _candidates(lefts: Sequence[_Named], rights: Sequence[_Named], *tests: _Alike) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for mine in lefts:
        near = [
            theirs.person.id
            for theirs in rights
            if _pupil(mine.person) == _pupil(theirs.person) and all(test(mine, theirs) for test in tests)
        ]
        if near:
            found[mine.person.id] = near
    return found


def _pupil(person: Person) -> bool:
    return person.role is Role.PUPIL


def sort_out(found: dict[str, list[str]], rule: str) -> tuple[list[Pair], list[Apart]]:
    """Pair those who have one candidate each; the others are namesakes."""
    wanted: defaultdict[str, int] = defaultdict(int)
    for near in found.values():
        for right in near:
            wanted[right] += 1
    pairs, waiting = [], []
    for left, near in found.items():
        if len(near) == 1 and wanted[near[0]] == 1:
            pairs.append(Pair(left, near[0], rule))
        else:
            waiting.append(Apart(left, "namesakes", tuple(near)))
    return pairs, waiting


_REASONS = {
    "linked_id": N_("The two accounts were linked before."),
    "pinned": N_("A person fixed this link."),
    "new_account": N_("Same name and class; the account that was linked before is not in the class any more."),
    "shared_iin": N_("Two accounts have the same IIN, so it proves neither."),
    "idnumber": N_("The identity file names this pair by the school's own number."),
    "iin_hmac": N_("Both systems have the same IIN."),
    "name+class+birth": N_("Same name, class and date of birth."),
    "name+class": N_("Same name and class."),
    "folded_name+class+birth": N_("Same class and date of birth; the names differ only in spelling."),
    "folded_name+class": N_("Same class; the names differ only in spelling."),
    "short_name+class+birth": N_("Same class and date of birth; one name has no patronymic."),
    "short_name+class": N_("Same class; one name has no patronymic."),
    "short_folded_name+class+birth": N_(
        "Same class and date of birth; the names differ in spelling and one has no patronymic."
    ),
    "short_folded_name+class": N_("Same class; the names differ in spelling and one has no patronymic."),
    "namesakes": N_("Several people in the class have this name; link them one by one."),
    "contradicting_links": N_("Two sources link it differently, so nothing is carried until one of them is removed."),
    "counterpart_not_here": N_("Its counterpart is known, but it is not in this class or journal."),
    "no_candidate": N_("Nothing on the other side resembles it."),
    "no_name": N_("The system gives no name, and no identifier links it."),
    "latin_name+class": N_("Same class; one name is in Latin letters and reads alike."),
    "damaged_name+class": N_("Same class; one name has lost letters, and the others are the same."),
    "other_family+birth+class": N_("Same class, given name and date of birth; the family names differ."),
    "damaged_name": N_("The name has lost letters, so it is not compared."),
    "tag:resource_id": N_("Both columns have the same activity id."),
    "tag": N_("Both columns have the same tag."),
    "title+date": N_("Same title and date."),
    "several_works": N_("Several columns in the journal have this title and date."),
    "ask_place": N_("The mapping asks a person where this column belongs."),
    "no_due_date": N_("The column has no date, so no lesson can be found for it."),
    "no_lesson": N_("The journal has no lesson for this date."),
    "several_lessons": N_("The journal has several lessons for this date; choose one."),
}
MATCH_REASONS = frozenset(_REASONS)


def explain_match(code: str) -> Message:
    """Return why two ids were matched, or one was not, for a person; an unknown code is shown as it is."""
    return say(_REASONS.get(code, code))
