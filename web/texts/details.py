"""The rules explain themselves in English; here is how each of their sentences reads in Spanish."""

from __future__ import annotations

import re

from speechai.operation.campaigns.uploads import Language

_SPANISH: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), spanish)
    for pattern, spanish in (
        (r"the provider answers", "el proveedor responde"),
        (r"the provider does not answer", "el proveedor no responde"),
        (r"the provider refuses the account", "el proveedor rechaza la cuenta"),
        (r"not stopped", "no está detenido"),
        (r"stopped by (.+)", r"detenido por \1"),
        (
            r"not opened within 30 minutes, or a later wave took its place",
            "no se abrió en 30 minutos, o una tanda posterior tomó su lugar",
        ),
        (
            r"interrupted, and its day or its batch is over",
            "quedó a medias, y su día o su campaña terminó",
        ),
        (r"window", "horario"),
        (r"the batch is draft", "la campaña es un borrador"),
        (r"the batch is running", "la campaña está en curso"),
        (r"the batch is paused", "la campaña está en pausa"),
        (r"the batch is completed", "la campaña está terminada"),
        (r"(?:the batch|its batch) is cancelled", "la campaña está cancelada"),
        (r"the batch's provider", "el proveedor de la campaña"),
        (r"the batch was made for another provider", "la campaña se hizo para otro proveedor"),
        (
            r"policy (\S+) is only for a provider on this machine",
            r"la política \1 sólo vale con un proveedor en esta máquina",
        ),
        (r"policy (\S+)", r"política \1"),
        (r"the account can pay", "la cuenta puede pagar"),
        (
            r"calls in flight hold the rest of the money",
            "las llamadas en curso retienen el resto del dinero",
        ),
        (r"the account is suspended", "la cuenta está suspendida"),
        (r"the balance does not cover one more call", "el saldo no cubre una llamada más"),
        (
            r"the budget of the day does not cover one more call",
            "el presupuesto del día no cubre una llamada más",
        ),
        (r"payments do not cover what is owed", "los pagos no cubren lo que se debe"),
        (r"payments cover all that is owed", "los pagos cubren todo lo que se debe"),
        (r"(\d+) usable numbers", r"números que sirven: \1"),
        (r"(\d+) of (\d+) attempts used", r"\1 de \2 llamadas hechas"),
        (r"(\d+) of (\d+) days without an answer", r"\1 de \2 días sin respuesta"),
        (r"(\d+) of (\d+) calls used today", r"\1 de \2 llamadas hechas hoy"),
        (r"nobody asked not to be called", "nadie pidió no ser llamado"),
        (r"only marketing is bound by it", "sólo obliga al marketing"),
        (r"(\S+) has not been consulted", r"no se ha consultado \1"),
        (r"(\S+) was consulted on (\S+)", r"\1 se consultó el \2"),
        (r"express consent is on record", "consta el consentimiento expreso"),
        (r"written consent is on record", "consta el consentimiento por escrito"),
        (r"express consent is not on record", "no consta el consentimiento expreso"),
        (r"written consent is not on record", "no consta el consentimiento por escrito"),
        (
            r"without consent on record; only marketing waits for it",
            "no consta el consentimiento; sólo el marketing lo espera",
        ),
        (r"(\d+) minutes between two calls to a person", r"\1 minutos entre dos llamadas a una persona"),
        (r"(\d+) of (\d+)", r"\1 de \2"),
        (r"waits for a wave", "espera una tanda"),
        (r"waits for its turn in a day's group", "espera su turno entre las personas de un día"),
        (r"due", "ya es hora"),
        (r"not due yet", "todavía no es hora"),
        (r"open", "dentro del horario"),
        (r"(\S+) is a public holiday: (.+)", r"\1 es feriado: \2"),
        (r"\w+ ([\d:]+) in (\S+) is outside (.+)", r"las \1 en \2 están fuera de \3"),
        (r"no other call is open", "no hay otra llamada abierta"),
        (
            r"another call to this person or number is open",
            "hay otra llamada abierta a esta persona o número",
        ),
        (r"has a place among the day's contacts", "tiene lugar entre las personas del día"),
        (r"the day's (\d+) contacts are taken", r"los \1 lugares del día están tomados"),
        (r"this person opted out, or was erased", "la persona pidió no ser llamada, o fue borrada"),
        (r"the job is in_progress", "se le está llamando"),
        (r"the job is (?:done|failed)", "el contacto ya está concluido"),
        (r"the job is suspended", "el contacto está suspendido"),
        (r"pending(?: \(.+\))?", "pendiente"),
        (r"in_progress", "en llamada"),
        (r"suspended(?: \(.+\))?", "suspendido"),
        (r"done(?: \(.+\))?", "listo"),
        (r"failed(?: \(.+\))?", "sin éxito"),
    )
)


# Of an entry of the do-not-call list: why it is there, and whom it binds.
_ENTRY_WORDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), spanish, english)
    for pattern, spanish, english in (
        (r"opted_out", "pidió no ser llamado", "opted out"),
        (r"list", "de una lista", "from a list"),
        (r"panel", "agregado en el panel", "added in the panel"),
        (r"registry (\S+)", r"registro \1", r"register \1"),
        (r"everybody", "todas las cuentas", "every account"),
        (r"marketing", "todo marketing", "all marketing"),
        (r"account:(\S+)", r"la cuenta \1", r"account \1"),
    )
)
_ENTRY = re.compile(r"(.+) since (\S+), for (.+)")


def entry_word_in(language: Language, word: str) -> str:
    """The reason or the scope of a do-not-call entry in the language; an operator's own words stay."""
    for pattern, spanish, english in _ENTRY_WORDS:
        if found := pattern.fullmatch(word):
            return found.expand(spanish if language == "es" else english)
    return word


def detail_in(language: Language, detail: str) -> str:
    """A rule's sentence in the language; one that is not known here stays as it is."""
    if language == "en":
        return detail
    if entry := _ENTRY.fullmatch(detail):
        reason, since, scope = entry.groups()
        return f"{entry_word_in(language, reason)} desde el {since}, para {entry_word_in(language, scope)}"
    for pattern, spanish in _SPANISH:
        if found := pattern.fullmatch(detail):
            return found.expand(spanish)
    return detail
