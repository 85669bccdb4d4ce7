"""The fake X's language of rules and searches: words, phrases, @ # from: to: is: has: lang:, and the ids; - OR ( )."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

_TOKEN = re.compile(r'-?(?:[a-z_]+:)?"[^"]*"|-?\(|\)|[^\s()]+', re.IGNORECASE)
_WORD = re.compile(r"\w+")
_DEEPEST = 50


class Look(NamedTuple):
    """A post as rules see it, all in small letters."""

    text: str
    """Between single spaces, words only."""
    words: frozenset[str]
    mentions: frozenset[str]
    hashtags: frozenset[str]
    author: str
    author_id: str
    to: str
    to_id: str
    lang: str
    conversation_id: str
    parent_id: str
    kinds: frozenset[str]
    """reply, quote, retweet."""
    has: frozenset[str]
    """mentions, links, hashtags, media."""


Match = Callable[[Look], bool]


class BadRule(ValueError):
    """Raised when a rule cannot be read."""


def words_of(text: str) -> list[str]:
    """The words of a text that is in small letters."""
    return _WORD.findall(text)


def fold(text: str) -> str:
    """Without accents, as recent search compares and the stream does not."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def compile_rule(rule: str) -> Match:
    """A rule as a function.

    Raises:
        BadRule: it cannot be read; the text says why.
    """
    tokens = _TOKEN.findall(rule)
    if not tokens:
        raise BadRule("the rule is empty")
    if max(accumulate(_deeper(token) for token in tokens)) > _DEEPEST:
        raise BadRule(f"parentheses are nested more than {_DEEPEST} deep")
    match, rest = _any(tokens)
    if rest:
        raise BadRule(f"mismatched input {rest[0]!r}")
    return match


def _deeper(term: str) -> int:
    return -1 if term == ")" else int(term in ("(", "-("))


def _any(tokens: list[str]) -> tuple[Match, list[str]]:
    """Alternatives: OR binds less than standing side by side."""
    branches = []
    branch, tokens = _all(tokens)
    branches.append(branch)
    while tokens and tokens[0] == "OR":
        branch, tokens = _all(tokens[1:])
        branches.append(branch)
    return (branches[0] if len(branches) == 1 else _until(branches, result=True)), tokens


def _all(tokens: list[str]) -> tuple[Match, list[str]]:
    parts = []
    while tokens and tokens[0] not in (")", "OR"):
        part, tokens = _one(tokens)
        parts.append(part)
    if not parts:
        raise BadRule("an operand is missing beside OR or between parentheses")
    return (parts[0] if len(parts) == 1 else _until(parts, result=False)), tokens


def _until(matches: list[Match], *, result: bool) -> Match:
    """Any of them (True) or all of them (False); a loop, since every post meets every rule."""

    def found(look: Look) -> bool:
        for match in matches:  # any() costs three times as much
            if match(look) is result:
                return result
        return not result

    return found


def _one(tokens: list[str]) -> tuple[Match, list[str]]:
    term, rest = tokens[0], tokens[1:]
    if term == "-" or term.startswith("--"):
        raise BadRule("a lone -")
    if term.startswith("-"):
        match, rest = _one([term[1:], *rest])
        return (lambda look: not match(look)), rest
    if term != "(":
        return _term(term), rest
    match, rest = _any(rest)
    if not rest or rest[0] != ")":
        raise BadRule("a parenthesis is not closed")
    return match, rest[1:]


def _term(token: str) -> Match:
    name, colon, value = token.partition(":")
    if colon and not token.startswith('"'):
        return _operator(name.lower(), value.strip('"').lower())
    if token[0] in "@#" and len(token) > 1:
        wanted = token[1:].lower()
        return (lambda look: wanted in look.mentions) if token[0] == "@" else (lambda look: wanted in look.hashtags)
    return _words(token.strip('"'))


def _words(text: str) -> Match:
    words = words_of(text.lower())
    if not words:
        raise BadRule(f"there is no word in {text!r}")
    if len(words) == 1:
        return lambda look: words[0] in look.words
    phrase = f" {' '.join(words)} "
    return lambda look: phrase in look.text


def _operator(name: str, value: str) -> Match:
    if not value:
        raise BadRule(f"{name}: has no value")
    bare = value.removeprefix("@")
    match: Match | None = {
        "from": lambda look: bare in (look.author, look.author_id),
        "to": lambda look: bare in (look.to, look.to_id),
        "lang": lambda look: look.lang == value,
        "is": lambda look: value in look.kinds,
        "has": lambda look: value in look.has,
        "conversation_id": lambda look: look.conversation_id == value,
        "in_reply_to_tweet_id": lambda look: look.parent_id == value,
    }.get(name)
    if match is None:
        raise BadRule(f"{name}: is an operator that this server does not know")
    return match
