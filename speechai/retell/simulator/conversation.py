"""What was said: a transcript in Spanish that fits the variables the agent was given, with its analysis."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from speechai.retell.simulator.outcomes import Ending, Plan

Turn = tuple[str, str]  # role, content

OPENING = "Hola, soy el asistente automático de {empresa}. La llamada se graba. ¿Hablo con {nombre}?"
DEBT = "Le llamo por su deuda de {monto_total} pesos en {cuotas_adeudadas} cuotas, hasta el {fecha_limite}."
OFFER = "Le llamo para contarle de nuestra oferta: {descripcion_oferta}."
OTHER = "Le llamo por un aviso de {empresa}."

LINES: dict[str, list[Turn]] = {
    "promise": [
        ("user", "Sí, con él. Puedo pagar {monto_pago_cliente} el {fecha_pago_cliente}."),
        (
            "agent",
            "Perfecto, queda anotado su compromiso de {monto_pago_cliente} para el {fecha_pago_cliente}.",
        ),
        ("user", "De acuerdo, gracias."),
    ],
    "completed": [
        ("user", "Sí, me interesa, muchas gracias."),
        ("agent", "Gracias a usted. Que esté muy bien."),
    ],
    "no_agreement": [
        ("user", "Sí, pero ahora no puedo."),
        ("agent", "¿Podría ser en cuotas?"),
        ("user", "No, ahora no."),
    ],
    "callback": [
        ("user", "Sí, pero estoy ocupado. Llámeme más tarde."),
        ("agent", "Claro, le llamaremos después."),
    ],
    "opted_out": [
        ("user", "No me llamen más, por favor."),
        ("agent", "Entendido, no volveremos a llamarle."),
    ],
    "wrong_person": [
        ("user", "No, está equivocado, aquí no vive esa persona."),
        ("agent", "Disculpe la molestia."),
    ],
    "third_party": [("user", "No está, soy su hermana."), ("agent", "Gracias, llamaremos en otro momento.")],
    "hello": [("user", "¿Aló?")],
}

SUMMARIES = {
    "promise": "La persona se comprometió a pagar {monto_pago_cliente} el {fecha_pago_cliente}.",
    "completed": "La persona aceptó.",
    "no_agreement": "La persona no pudo comprometerse.",
    "callback": "La persona pidió que la llamen más tarde.",
    "opted_out": "La persona pidió que no la llamen más.",
    "wrong_person": "El número no es de la persona buscada.",
    "third_party": "Contestó otra persona.",
    "hello": "La llamada se cortó al comienzo.",
}
SENTIMENTS = {"promise": "Positive", "completed": "Positive", "opted_out": "Negative"}
WORDS_PER_SECOND = 2.5


def captured_variables(
    plan: Plan, told: dict[str, str], now: datetime, callback_at: datetime, draw: random.Random
) -> dict[str, Any]:
    """What the agent wrote down in this call."""
    if plan.captured is not None:
        return {str(name): value for name, value in plan.captured.items()}
    match plan.ending.captured:
        case "promise":
            return _promise(told, now.date(), draw)
        case "callback":
            return {"solicita_callback": "true", "callback_at": callback_at.isoformat(timespec="seconds")}
        case "":
            return {}
        case other:
            return {"opt_out" if other == "opted_out" else other: "true"}


def _promise(told: dict[str, str], today: date, draw: random.Random) -> dict[str, str]:
    """A date before the deadline that the agent was told, and no more than what is owed."""
    try:
        last = date.fromisoformat(told.get("fecha_limite", ""))
    except ValueError:
        last = today + timedelta(days=7)
    days = max(0, (last - today).days)
    try:
        owed = int(float(told.get("monto_total", "")))
    except ValueError:
        owed = 10_000
    share = draw.choice([1.0, 1.0, 0.5])
    return {
        "fecha_pago_cliente": (today + timedelta(days=draw.randint(0, days))).isoformat(),
        "monto_pago_cliente": str(max(1, int(owed * share))),
    }


def turns_of(ending: Ending, told: dict[str, str], captured: dict[str, str]) -> list[Turn]:
    """Who said what, in order."""
    if ending.voicemail:
        return [("user", "Usted se ha comunicado con el buzón de voz. Deje su mensaje después del tono.")]
    subject = DEBT if told.get("monto_total") else OFFER if told.get("descripcion_oferta") else OTHER
    turns: list[Turn] = [("agent", OPENING)]
    if ending.says not in ("", "hello", "wrong_person", "third_party"):
        turns += [("user", "Sí, ¿quién habla?"), ("agent", subject)]
    turns += LINES.get(ending.says, [])
    words = _Told({**told, **captured})
    return [(role, content.format_map(words)) for role, content in turns]


class _Told(dict[str, str]):
    """The agent speaks a variable that it was not given by its name, as the real one does."""

    def __missing__(self, name: str) -> str:
        return "{{" + name + "}}"


def transcript_fields(turns: list[Turn], talk_s: float) -> dict[str, Any]:
    """The transcript as text and as utterances with word times (seconds of audio)."""
    spoken = [(role, content.split()) for role, content in turns]
    count = sum(len(words) for _, words in spoken) or 1
    pace = min(1 / WORDS_PER_SECOND, talk_s / count) if talk_s else 1 / WORDS_PER_SECOND
    at = 0.0
    utterances = []
    for role, words in spoken:
        timed = []
        for word in words:
            timed.append({"word": word, "start": round(at, 3), "end": round(at + pace * 0.9, 3)})
            at += pace
        utterances.append({"role": role, "content": " ".join(words), "words": timed})
    names = {"agent": "Agent", "user": "User"}
    return {
        "transcript": "".join(f"{names[role]}: {content}\n" for role, content in turns),
        "transcript_object": utterances,
        "transcript_with_tool_calls": utterances,
    }


def analysis_of(plan: Plan, captured: dict[str, str], told: dict[str, str]) -> dict[str, Any]:
    """The analysis after the call; of one that never connected a poor one, as captured from the real API."""
    ending = plan.ending
    if ending.status == "not_connected":
        return {
            "call_summary": "",
            "user_sentiment": "Unknown",
            "call_successful": False,
            "custom_analysis_data": {},
        }
    summary = SUMMARIES.get(ending.says, "")
    if ending.voicemail:
        summary = "Contestó un buzón de voz."
    return {
        "call_summary": summary.format_map(_Told({**told, **captured})),
        "in_voicemail": ending.voicemail,
        "user_sentiment": SENTIMENTS.get(ending.says, "Neutral"),
        "call_successful": ending.successful,
        "custom_analysis_data": dict(captured),
    }
