"""Amounts, dates and rules as an agent says them, in the Spanish of Chile and Argentina."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from speechai.catalog.policies import PromptRule

_WEEKDAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS = (
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
)
_CURRENCIES = {  # (one, many, the hundredth part)
    "CLP": ("peso", "pesos", ""),
    "ARS": ("peso", "pesos", "centavos"),
    "UYU": ("peso uruguayo", "pesos uruguayos", "centésimos"),
    "USD": ("dólar", "dólares", "centavos"),
    "EUR": ("euro", "euros", "céntimos"),
}
_RULES = {
    PromptRule.AUTOMATED: "Di al comienzo que es una llamada automatizada.",
    PromptRule.RECORDED: "Avisa que la llamada se graba.",
    PromptRule.IDENTIFY_CALLER: "Di en nombre de qué empresa llamas.",
    PromptRule.VERIFY_IDENTITY: "Verifica la identidad de la persona antes de nombrar una deuda.",
    PromptRule.NO_VOICEMAIL_MESSAGE: "No dejes mensajes en un buzón de voz.",
    PromptRule.NO_THIRD_PARTIES: "No digas nada de la deuda a otra persona.",
    PromptRule.NO_JUDICIAL_LOOK: "No des a entender que hay un juicio ni amenaces.",
    PromptRule.OFFER_OPT_OUT: "Ofrece dejar de llamar, y respétalo en el acto.",
    PromptRule.NO_REASON_FOR_NON_PAYMENT: "No preguntes por qué no ha pagado.",
}


def amount_in_words(amount: Decimal, currency: str) -> str:
    """ "ciento cuatro mil cincuenta pesos"; where we have no words for the currency, digits and its code."""
    if currency not in _CURRENCIES:
        return f"{amount:f} {currency}"
    from num2words import num2words  # at first use: the poller, which never speaks, does not carry it

    one, many, hundredths = _CURRENCIES[currency]
    whole = int(amount)
    words = _before_noun(num2words(whole, lang="es"))
    # "un millón de pesos": a round number of millions takes "de".
    of = "de " if whole >= 1_000_000 and whole % 1_000_000 == 0 else ""
    said = f"{words} {of}{one if whole == 1 else many}"
    cents = int((amount - whole) * 100)
    return f"{said} con {_before_noun(num2words(cents, lang='es'))} {hundredths}" if cents else said


def _before_noun(words: str) -> str:
    """Before a noun "uno" loses its ending: "veintiún mil treinta y un pesos"."""
    shortened = re.sub(r"veintiuno(?= mil|$)", "veintiún", words)
    return re.sub(r"\buno(?= mil|$)", "un", shortened)


def date_in_words(day: date) -> str:
    """ "lunes 23 de noviembre de 2026"; a locale library would cost each worker 6 MB for nineteen words."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} de {_MONTHS[day.month - 1]} de {day.year}"


def rules_in_words(rules: Iterable[PromptRule]) -> str:
    """What the agent must do or leave, by the policy in force."""
    return " ".join(_RULES[rule] for rule in rules)
