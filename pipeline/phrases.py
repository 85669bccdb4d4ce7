"""What a post says about itself in a few words: thanks, praise, an invitation to another channel; in six languages."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NO_WORDS = re.compile(r"https?://\S+|[@＠#＃]\w+|[^\w\s']|[\d_]+")
_THANKS_WORDS = """
thanks thank thankyou thx thnx tnx tks ty tysm cheers ta appreciated appreciate bye goodbye goodnight sorted solved
gracias adios adiós saludos agradezco merci dank remercie aurevoir danke dankeschön dankeschon tschüss tschuss obrigado
obrigada valeu tchau grazie arrivederci ciao
"""
_THANKS = frozenset(_THANKS_WORDS.split())
"""Words of thanks and goodbye."""
_ALONG_WORDS = """
a all am and anyway are as at awesome be been best brilliant by day did done evening fab fine fixed for
got great good guys help helping helpful i i'll i'm is it it's its just kind kindly lot lots lovely man many
mate me much my nice night now of ok okay on one oh perfect quick quickly really reply replying
resolved response so soon super team that that's the this to today too very weekend well will with wonderful work
working works y'all yes you your yours muchas mil por la las el los su tu ayuda respuesta muy amable todo ya
de nuevo buen buena día dia tarde noche perfecto beaucoup pour votre ton aide réponse bien bonne bon journée soirée
nuit parfait c'est ça vielen vielmals schön sehr für fur ihre eure deine die hilfe antwort alles klar gut guten tag
abend nacht nett lieb muito muita pela pelo sua ajuda resposta tudo certo bom boa dia noite mille tante per il aiuto
risposta tutto bene buona giornata serata gentile gentilissimi
"""
_ALONG = frozenset(_ALONG_WORDS.split())
"""Words that may stand beside them."""
_GLAD = (
    (re.compile(r"\bno (?:problems?|worries)\b(?! (?:again|now|today|is|but))"), " "),
    (
        re.compile(
            r"\b(?:my |the )?problems? (?:is |are |was |has been |got )?(?:now )?(solved|resolved|sorted|fixed)\b"
        ),
        r"\1",
    ),
    (re.compile(r"\b(thanks|thank you|thx|ty|cheers|works|working)((?: so much| very much)?) again\b"), r"\1\2"),
)
"""What is said of a problem that is none any more, and thanks that are said again; by themselves the words complain."""
_CROSS = re.compile("[😠😡🤬👎💩😤😒🙄😞😟😢😭😩😫😖😣☹🙁😕💔😾😿🤡🖕]|[:;]'?-?\\(")
_EMOJI = re.compile("[👍🙏❤💙🙌😊☺👌💪🤗🥰😘😀😃😄🎉]")
_PRAISE = re.compile(
    r"\b(?:love|loving|loved|awesome|amazing|brilliant|fantastic|excellent|wonderful|best|great|kudos|shout ?out|"
    r"well done|hats off|impressed|grateful|perfect|superb|thank you|thanks|encanta|genial|excelente|gracias|adore|"
    r"génial|excellent|merci|liebe|toll|großartig|super|danke|adoro|ótimo|maravilhos[oa]|obrigad[oa]|fantastic[oa]|grazie|"
    r"bravissimi|bravi)\b",
    re.IGNORECASE,
)
_DM = re.compile(
    r"\b(?:dms?|pms?|direct messages?|private messages?|messages? us privately|inbox us|"
    r"mensajes? (?:directos?|privados?)|por md|(?:un|en) md|"
    r"messages? privés?|en mp|un mp|en dm|direktnachricht(?:en)?|privatnachricht(?:en)?|per pn|eine pn|"
    r"mensage(?:m|ns) (?:diretas?|privadas?)|na dm|messaggi(?:o)? (?:privat[oi]|dirett[oi])|in privato)\b",
    re.IGNORECASE,
)
_DM_WORD = (
    r"(?:dms?|pms?|direct messages?|private messages?|mensajes? (?:directos?|privados?)|md|messages? privés?|mp|"
    r"direktnachricht(?:en)?|privatnachricht(?:en)?|pns?|mensage(?:m|ns) (?:diretas?|privadas?)|"
    r"messaggi(?:o)? (?:privat[oi]|dirett[oi]))\b"
)
_NOT_DM = re.compile(
    r"\d\s?pms?\b(?!\s+(?:us|me)\b)|\bthis pm\b|"
    r"\b(?:no|without|(?:no|do not|don'?t) need(?: to| for)?(?: send| write)?(?: us)?|"
    r"(?:never|do not|don'?t) (?:send|use|share|post|write|accept|take|include)(?: us)?)(?: an?| any| the)? "
    + _DM_WORD
    + "|"
    r"\b(?:no (?:hace falta|es necesario|necesitas?|env[ií]es?|mandes?|nos env[ií]es|nos mandes)(?: que)?|sin)"
    r"(?: \w+){0,3} " + _DM_WORD + "|"
    r"\b(?:pas (?:besoin|nécessaire|la peine)|inutile|sans|n'envoyez (?:pas|jamais)|n'envoie (?:pas|jamais))"
    r"(?: (?:de|d'|en|un|nous|vous|envoyer|passer))* " + _DM_WORD + "|"
    r"\b(?:keine?n?|ohne)(?: eine?)? " + _DM_WORD + "|"
    r"\b(?:não (?:é preciso|é necessário|precisa|envie|mande)|sem)(?: \w+){0,3} " + _DM_WORD + "|"
    r"\b(?:non (?:serve|occorre|è necessario|c'è bisogno|inviare|mandare)|senza)(?: \w+){0,3} " + _DM_WORD,
    re.IGNORECASE,
)
"""The words for private messages where they do not invite: a time of day, and a message that is not wanted."""
_DM_PARTS = ("dm", "pm", "messag", "mensaj", "mensage", "nachricht", "privat", "inbox", " md", " mp", " pn")
"""One of them is in every text that the pattern finds, in small letters: looking for them costs a tenth."""
_EMAIL = re.compile(
    r"\b(?:e-?mail(?:s|ed|ing)?|drop us a mail|correo(?: electrónico)?|courriel|mél|mail an|posta elettronica)\b",
    re.IGNORECASE,
)
_EMAIL_PARTS = ("mail", "correo", "courriel", "mél", "posta")
_ADDRESS_END = re.compile(r"@[\w-]+\.\w{2,}")


class Phrases:
    """The patterns of one brand: those that everybody has, and its own.

    Args:
        to_dm: further regular expressions, any case, for "go on by private message".
        to_email: the same for e-mail.
    """

    def __init__(self, to_dm: Sequence[str] = (), to_email: Sequence[str] = ()) -> None:
        self._to_dm = _any_of(to_dm)
        self._to_email = _any_of(to_email)

    def to_dm(self, text: str) -> bool:
        """Whether an answer invites to private messages."""
        return (_finds(_DM, _DM_PARTS, text) and _invites(text)) or _own(self._to_dm, text)

    def to_email(self, text: str) -> bool:
        """Whether an answer invites to e-mail."""
        return _finds(_EMAIL, _EMAIL_PARTS, text) or _has_address(text) or _own(self._to_email, text)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(patterns), re.IGNORECASE) if patterns else None


def _own(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _finds(pattern: re.Pattern[str], parts: Sequence[str], text: str) -> bool:
    lowered = text.lower()
    for part in parts:
        if part in lowered:
            return pattern.search(text) is not None
    return False


def _invites(text: str) -> bool:
    """Whether an invitation is left without what sounds like one."""
    return _DM.search(_NOT_DM.sub(" ", text.replace("’", "'"))) is not None


def _has_address(text: str) -> bool:
    """Whether there is an e-mail address, which a mention is not."""
    if "@" not in text[1:]:
        return False
    ends = (found.start() for found in _ADDRESS_END.finditer(text))
    return any(text[at - 1].isalnum() or text[at - 1] in "_.+-" for at in ends if at)


def only_thanks(text: str) -> bool:
    """Whether a post says thanks or goodbye and nothing else, in words or in a friendly sign."""
    if "?" in text or len(text) > 200:
        return False
    said = _NO_WORDS.sub(" ", text.lower().replace("’", "'"))
    words = said.split()
    if (words and _THANKS.isdisjoint(words)) or _CROSS.search(text):
        return False
    if not words:
        return _EMOJI.search(text) is not None
    for pattern, instead in _GLAD:
        said = pattern.sub(instead, said)
    return all(word in _THANKS or word in _ALONG for word in said.split())


def praises(text: str) -> bool:
    """Whether a post that wants no help holds a kind word."""
    return _PRAISE.search(text) is not None
