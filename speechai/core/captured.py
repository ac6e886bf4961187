"""What agents write down during a call, under the many names they use for the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from speechai.core.words import answer_of, asks_for_no_calls, text_of

# Names under which agents capture the same thing, in the order they are looked at.
CAPTURED_NAMES: dict[str, tuple[str, ...]] = {
    "payment_date": ("fecha_pago_cliente", "fecha_pago", "payment_date"),
    "payment_amount": ("monto_pago_cliente", "monto_pago", "payment_amount"),
    "callback_at": ("callback_at", "fecha_callback", "fecha_rellamada", "callback_time"),
    "callback": ("solicita_callback", "callback_requested", "callback", "reagendar"),
    "opted_out": ("opt_out", "opted_out", "no_llamar", "do_not_call"),
    "wrong_person": ("wrong_person", "persona_equivocada", "numero_equivocado"),
    "third_party": ("third_party", "tercero", "contesta_tercero"),
    "interest": ("interesado", "interested", "acepta_oferta"),
    "answered": ("encuesta_completa", "survey_completed"),
    "confirmed": ("confirma", "confirmado", "confirmed"),
}


@dataclass(frozen=True, slots=True)
class Captured:
    """What the agent wrote down during the call, as it wrote it; what says nothing (`N/A`) is None."""

    payment_date: str | None = None
    payment_amount: str | None = None
    callback_at: str | None = None
    callback: bool = False
    opted_out: bool = False
    wrong_person: bool = False
    third_party: bool = False
    interest: bool = False
    answered: bool = False
    confirmed: bool = False

    @property
    def asks_for_callback(self) -> bool:
        """Whether the person asked to be called, with an hour or without."""
        return self.callback or self.callback_at is not None


def captured_in(*sources: Mapping[str, Any]) -> Captured:
    """What the sources hold. An earlier one wins where it says something; an opt-out binds from any."""
    said = {
        field: [source[name] for name in names for source in sources if name in source]
        for field, names in CAPTURED_NAMES.items()
    }
    return Captured(
        payment_date=_first_text(said["payment_date"]),
        payment_amount=_first_text(said["payment_amount"]),
        callback_at=_first_text(said["callback_at"]),
        callback=_first_answer(said["callback"]),
        opted_out=any(asks_for_no_calls(value) for value in said["opted_out"]),
        wrong_person=_first_answer(said["wrong_person"]),
        third_party=_first_answer(said["third_party"]),
        interest=_first_answer(said["interest"]),
        answered=_first_answer(said["answered"]),
        confirmed=_first_answer(said["confirmed"]),
    )


def _first_text(values: Iterable[Any]) -> str | None:
    return next((text for value in values if (text := text_of(value)) is not None), None)


def _first_answer(values: Iterable[Any]) -> bool:
    return next((answer for value in values if (answer := answer_of(value)) is not None), False)
