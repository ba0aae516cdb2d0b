"""A merchant's own rules for failures, as typed data, and what they match.

A rule names some fields of an error and what they mean to this merchant. All fields it names must
match; of several rules that match, the first in the merchant's order wins. What a rule cannot do
is told in `coderow.overruled`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.failures.classifier import BLANKS, ErrorInfo, word
from tinko_pipelines.core.failures.coderow import CodeRow, MatchKind, incoherent
from tinko_pipelines.core.failures.codetable import CodeTable, default_table
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs

MAX_RULES = 500
_PSPS = frozenset({"stripe", "razorpay"})


def _says_something(value: str) -> str:
    if not value.strip(BLANKS):
        raise ValueError("a word to match must not be blank")
    return value


def _can_be_stored(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _known_psp(value: str) -> str:
    if word(value) not in _PSPS:
        raise ValueError(f"must be one of {', '.join(sorted(_PSPS))}")
    return value


Word = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_says_something),
    AfterValidator(_can_be_stored),
]
Note = Annotated[str, StringConstraints(max_length=500), AfterValidator(_can_be_stored)]


class Match(BaseModel):
    """Which errors a rule is about: every field that is given must be equal, in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    psp: Annotated[Word, AfterValidator(_known_psp)] | None = None
    code: Word | None = None
    decline_code: Word | None = None
    reason: Word | None = None
    source: Word | None = None
    step: Word | None = None
    network: Word | None = None
    network_decline_code: Word | None = None
    network_advice_code: Word | None = None
    advice_code: Word | None = None

    @model_validator(mode="after")
    def _names_a_code(self) -> Match:
        if not any(getattr(self, name) for name in _CODES):
            raise ValueError(f"name at least one of {', '.join(_CODES)}")
        return self


_CODES = (
    "network_advice_code",
    "network_decline_code",
    "reason",
    "decline_code",
    "advice_code",
    "code",
)
# the fields a rule is looked up by, the ones that tell most first
MATCHED = (*_CODES, "source", "step", "network", "psp")


class OverrideRule(BaseModel):
    """What some errors mean to this merchant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Match
    category: Category
    retry_advice: RetryAdvice
    who_acts: WhoActs
    note: Note | None = None

    @model_validator(mode="after")
    def _is_coherent(self) -> OverrideRule:
        if self.category is Category.UNKNOWN:
            raise ValueError("a rule says what a failure is: unknown is no answer")
        wrong = incoherent(self.category, self.retry_advice)
        if wrong:
            raise ValueError(wrong)
        return self


class OverrideRules(BaseModel):
    """The whole of a merchant's rules, in order: what one version holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[tuple[OverrideRule, ...], Field(max_length=MAX_RULES)]

    @model_validator(mode="after")
    def _no_two_alike(self) -> OverrideRules:
        seen: dict[tuple[str, ...], int] = {}
        for number, rule in enumerate(self.rules):
            key = tuple(word(getattr(rule.match, name)) for name in MATCHED)
            if key in seen:
                raise ValueError(f"rules.{number} can never match: rules.{seen[key]} has its match")
            seen[key] = number
        return self


def parse_rules(document: Any) -> OverrideRules:
    """Rules of untrusted JSON. Raises InvalidInput that names the path of each wrong member."""
    try:
        # strictness is JSON's: words for enums, lists for tuples, no numbers for words
        return OverrideRules.model_validate_json(json.dumps(document))
    except ValidationError as error:
        wrong = [
            {
                "where": ".".join(map(str, item["loc"])) or "rules",
                "what": item["msg"].removeprefix("Value error, "),
            }
            for item in error.errors(include_url=False, include_context=False)
        ]
        detail = "; ".join(f"{item['where']}: {item['what']}" for item in wrong)
        raise InvalidInput(detail, errors=wrong) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"rules: not JSON: {error}") from None


def parse_rules_text(text: str) -> OverrideRules:
    """Rules of untrusted text, which must be JSON. Raises InvalidInput as `parse_rules`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"rules: not JSON: {error}") from None
    return parse_rules(document)


@dataclass(frozen=True)
class Origin:
    """Where rules come from: `version` of the organisation's own, or None for the environment."""

    version: int | None
    since: date

    @property
    def name(self) -> str:
        return "environment" if self.version is None else f"v{self.version}"

    @property
    def source(self) -> str:
        told = "PAYMENT_FAILURE_RULES" if self.version is None else f"version {self.version}"
        return f"the merchant's own rules, {told}"


class Overrides:
    """Rules made ready to match. Immutable; two are equal only where they are one.

    `rows[n]` is what rule n gives. `index` holds, for each set of fields that rules name (in the
    order of `MATCHED`), the rule's number by the words of those fields, in lower case and trimmed;
    a network is there under each of its spellings.
    """

    def __init__(
        self, rules: OverrideRules, origin: Origin, table: CodeTable | None = None
    ) -> None:
        self.rules, self.origin = rules, origin
        table = table or default_table()
        self.rows = tuple(_row(rule, number, origin) for number, rule in enumerate(rules.rules))
        self.index: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
        for number, rule in enumerate(rules.rules):
            named = tuple(name for name in MATCHED if getattr(rule.match, name))
            keys = self.index.setdefault(named, {})
            for key in _spelled([(name, word(getattr(rule.match, name))) for name in named], table):
                keys.setdefault(key, number)

    def __bool__(self) -> bool:
        return bool(self.rows)

    def find(self, error: ErrorInfo) -> CodeRow | None:
        """The row of the first rule that matches an error, or None."""
        found = self.matching(error)
        return found[0] if found else None

    def matching(self, error: ErrorInfo) -> list[CodeRow]:
        """The rows of all rules that match, in the merchant's order."""
        numbers = [
            number
            for named, keys in self.index.items()
            if (number := keys.get(tuple(word(getattr(error, name)) for name in named))) is not None
        ]
        return [self.rows[number] for number in sorted(numbers)]


def _row(rule: OverrideRule, number: int, origin: Origin) -> CodeRow:
    return CodeRow(
        id=f"override.{origin.name}.{number}",
        kind=MatchKind.OVERRIDE,
        owner="",
        code=str(number),
        category=rule.category,
        retry_advice=rule.retry_advice,
        who_acts=rule.who_acts,
        confidence=1.0,
        source=origin.source + (f": {rule.note}" if rule.note else ""),
        date=origin.since,
    )


def _spelled(named: Iterable[tuple[str, str]], table: CodeTable) -> Iterable[tuple[str, ...]]:
    """The words of a rule, once for each spelling of its network."""
    words = dict(named)
    for spelling in _spellings(words, table):
        yield tuple(spelling if name == "network" else said for name, said in words.items())


def _spellings(words: Mapping[str, str], table: CodeTable) -> tuple[str, ...]:
    network = words.get("network", "")
    return next((all_ for all_ in table.networks.values() if network in all_), (network,))
