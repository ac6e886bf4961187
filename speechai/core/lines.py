"""Which telephone line a number reaches, and under which one name the line is counted and listed."""

from __future__ import annotations

_AR, _AR_MOBILE = "+54", "+549"
_AR_MOBILE_LENGTH = len("+5491123456789")


def line_of(number: str) -> str:
    """The line of an E.164 number, under one name in whichever form it was written.

    In Argentina fixed and mobile lines share their ranges (ENACOM's plan; ITU-T E.164 national annex): the 9
    after the country's code only says that the line is a mobile, and lists leave it out. `+54 9 11 2345-6789`
    and `+54 11 2345-6789` are one line, `+541123456789`. No other number has a second form.
    """
    if number.startswith(_AR_MOBILE) and len(number) == _AR_MOBILE_LENGTH:
        return _AR + number[len(_AR_MOBILE) :]
    return number


def person_of_number(number: str) -> str:
    """The id of a person of whom only a number is known: the line's, in whichever form it was written."""
    return f"TEL:{line_of(number)}"
