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
a all am and again anyway are as at awesome be been best brilliant but by day did done evening fab fine fixed for
got great good guys have help helping helpful i i'll i'm is it it's its just kind kindly lot lots lovely man many
mate me much my nice night no now of ok okay on one oh perfect problem problems quick quickly really reply replying
resolved response so soon super team that that's the this to today too very weekend well will with wonderful work
working works worries y'all yes you your yours muchas mil por la las el los su tu ayuda respuesta muy amable todo ya
de nuevo buen buena día dia tarde noche perfecto beaucoup pour votre ton aide réponse bien bonne bon journée soirée
nuit parfait c'est ça vielen vielmals schön sehr für fur ihre eure deine die hilfe antwort alles klar gut guten tag
abend nacht nett lieb muito muita pela pelo sua ajuda resposta tudo certo bom boa dia noite mille tante per il aiuto
risposta tutto bene buona giornata serata gentile gentilissimi
"""
_ALONG = frozenset(_ALONG_WORDS.split())
"""Words that may stand beside them."""
_EMOJI = re.compile("[👍🙏❤💙🙌😊☺👌💪🤗🥰😘😀😃😄🎉]")
_PRAISE = re.compile(
    r"\b(?:love|loving|loved|awesome|amazing|brilliant|fantastic|excellent|wonderful|best|great|kudos|shout ?out|"
    r"well done|hats off|impressed|grateful|perfect|superb|thank you|thanks|encanta|genial|excelente|gracias|adore|"
    r"génial|excellent|merci|liebe|toll|großartig|super|danke|adoro|ótimo|maravilhos[oa]|obrigad[oa]|fantastic[oa]|grazie|"
    r"bravissimi|bravi)\b",
    re.IGNORECASE,
)
_DM = (
    r"\b(?:dms?|pms?|direct messages?|private messages?|messages? us privately|inbox us|"
    r"mensajes? (?:directos?|privados?)|por md|(?:un|en) md|"
    r"messages? privés?|en mp|un mp|en dm|direktnachricht(?:en)?|privatnachricht(?:en)?|per pn|eine pn|"
    r"mensage(?:m|ns) (?:diretas?|privadas?)|na dm|messaggi(?:o)? (?:privat[oi]|dirett[oi])|in privato)\b"
)
_EMAIL = (
    r"[\w.+-]+@[\w-]+\.\w{2,}|\b(?:e-?mail(?:s|ed|ing)?|drop us a mail|correo(?: electrónico)?|courriel|mél|"
    r"mail an|posta elettronica)\b"
)


class Phrases:
    """The patterns of one brand: those that everybody has, and its own.

    Args:
        to_dm: further regular expressions, any case, for "go on by private message".
        to_email: the same for e-mail.
    """

    def __init__(self, to_dm: Sequence[str] = (), to_email: Sequence[str] = ()) -> None:
        self._to_dm = re.compile("|".join([_DM, *to_dm]), re.IGNORECASE)
        self._to_email = re.compile("|".join([_EMAIL, *to_email]), re.IGNORECASE)

    def to_dm(self, text: str) -> bool:
        """Whether an answer invites to private messages."""
        return self._to_dm.search(text) is not None

    def to_email(self, text: str) -> bool:
        """Whether an answer invites to e-mail."""
        return self._to_email.search(text) is not None


def only_thanks(text: str) -> bool:
    """Whether a post says thanks or goodbye and nothing else, in words or in a friendly sign."""
    if "?" in text or len(text) > 200:
        return False
    words = _NO_WORDS.sub(" ", text.lower().replace("’", "'")).split()
    if not words:
        return _EMOJI.search(text) is not None
    return not _THANKS.isdisjoint(words) and all(word in _THANKS or word in _ALONG for word in words)


def praises(text: str) -> bool:
    """Whether a post that wants no help holds a kind word."""
    return _PRAISE.search(text) is not None
