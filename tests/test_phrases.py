"""What a post says about itself in a few words."""

from __future__ import annotations

import pytest

from pipeline.phrases import Phrases, only_thanks, praises


@pytest.mark.parametrize(
    "text",
    [
        "@BlueHeronAir thanks!",
        "Thank you so much for your quick help 🙏",
        "@care ok cheers, bye",
        "👍",
        "@help ❤️❤️",
        "that's sorted now, thanks a lot",
        "Merci beaucoup pour votre aide !",
        "vielen Dank, danke schön",
        "muchas gracias por la ayuda",
        "obrigada!",
        "grazie mille",
        "Thanks 👍 https://t.co/abc",
    ],
)
def test_only_thanks(text: str) -> None:
    """Thanks and goodbyes, with what goes along with them, in six languages and in signs."""
    assert only_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "thanks for nothing",
        "thanks but it still does not work",
        "Thank you, when will it arrive?",
        "ok",
        "@BlueHeronAir",
        "",
        "gracias pero sigue sin funcionar",
        "thanks " * 60,
        "😡",
    ],
)
def test_more_than_thanks(text: str) -> None:
    """Thanks with a problem, a question, or nothing said at all, are not only thanks."""
    assert not only_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please DM us your booking reference",
        "Could you send us a private message?",
        "envíanos un mensaje directo, por favor",
        "envoyez-nous un message privé",
        "schick uns bitte eine Direktnachricht",
        "manda uma mensagem privada",
        "scrivici un messaggio privato",
    ],
)
def test_invitations_to_private_messages(text: str) -> None:
    """In six languages."""
    assert Phrases().to_dm(text)
    assert not Phrases().to_email(text)


@pytest.mark.parametrize(
    "text", ["email us at help@blueheron.example", "drop us an e-mail", "escríbenos un correo electrónico"]
)
def test_invitations_to_email(text: str) -> None:
    """By the word or by an address."""
    assert Phrases().to_email(text)
    assert not Phrases().to_dm(text)


def test_a_mention_is_no_invitation() -> None:
    """Handles and everyday words do not count."""
    assert not Phrases().to_dm("hi @dmitri, we are looking into it")
    assert not Phrases().to_email("hi @email_fan, we are looking into it")


def test_a_brand_has_its_own_words() -> None:
    """Settings add patterns, any case."""
    phrases = Phrases(to_dm=[r"slide into our inbox"])

    assert phrases.to_dm("Slide into our inbox!")
    assert phrases.to_dm("dm us")


def test_praise() -> None:
    """A kind word is seen, its absence too."""
    assert praises("I love the new app")
    assert not praises("the new app is out")
