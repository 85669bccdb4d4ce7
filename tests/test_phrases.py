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
        "no problem, thanks",
        "No worries, thank you!",
        "Thanks again!",
        "thank you so much again",
        "my problem is solved, thanks",
        "thanks, it's working again",
        "gracias de nuevo",
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
        "No thanks, problem again",
        "I have the problem again, thanks",
        "thanks for no help",
        "thanks but it is no good",
        "Thanks 😡",
        "thanks 👎👍",
        "thank you :(",
        "Thanks, my problem is it works to one day",
        "ok thanks. it's the problem again today",
        "no problem again, thanks",
        "Gracias 😡",
        "merci beaucoup 🙄",
        "danke 😤",
        "obrigado 😭",
        "grazie 👎",
        "no, gracias",
        "no grazie",
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
    "text",
    [
        "Our store closes at 8:00 PM",
        "We're open from 9 AM to 5 PM today.",
        "it arrives by 11\u00a0pm",
        "a technician calls you this PM",
        "No DM needed, it is fixed",
        "you don't need to send us a DM",
        "please never send DMs with card data",
        "No hace falta que nos mandes un mensaje privado",
        "pas besoin de nous envoyer un message privé",
        "Du brauchst keine Direktnachricht zu schicken",
        "não é preciso mandar mensagem privada",
        "non serve un messaggio privato",
    ],
)
def test_no_invitation(text: str) -> None:
    """A time of day, and messages that are not wanted; in six languages."""
    assert not Phrases().to_dm(text)


@pytest.mark.parametrize(
    "text",
    [
        "We are here until 8 PM: DM us",
        "it's past 8 PM us a note",
        "don't hesitate to DM us",
        "If you have no answer yet, please send us a DM",
        "We got no DM from you, please send us a direct message",
        "no dudes en enviarnos un mensaje privado",
        "Wir haben noch keine PN von dir, schick uns bitte eine PN",
        "PM us",
    ],
)
def test_invitations_beside_a_no(text: str) -> None:
    """A no or a time of day that is said of something else takes nothing away."""
    assert Phrases().to_dm(text)


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
