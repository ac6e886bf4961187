"""One line, one name, in whichever form its number was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speechai.catalog.use_cases import Country
from speechai.core.lines import line_of, person_of_number
from speechai.ingest.phones import LineKind, parse_phones

ARGENTINE = st.from_regex(r"\A(11|2[2-9]\d|3[3-8]\d)[2-9]\d{6,7}\Z").filter(lambda digits: len(digits) == 10)


@given(ARGENTINE)
def test_an_argentine_line_has_one_name_in_every_form(digits):
    assert line_of(f"+549{digits}") == line_of(f"+54{digits}") == f"+54{digits}"
    assert person_of_number(f"+549{digits}") == person_of_number(f"+54{digits}")


@given(ARGENTINE, st.sampled_from(LineKind))
def test_what_the_column_says_of_the_line_makes_no_other_line(digits, kind):
    numbers, _ = parse_phones(digits, Country.AR, kind)
    assert {line_of(number) for number in numbers} <= {f"+54{digits}"}


@given(st.from_regex(r"\A\+[1-9]\d{7,14}\Z"))
def test_a_name_stays_and_no_other_country_has_two_forms(number):
    assert line_of(line_of(number)) == line_of(number)
    if not number.startswith("+549"):
        assert line_of(number) == number
