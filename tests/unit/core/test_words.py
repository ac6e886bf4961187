"""What the words of agents mean, in all their spellings."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speechai.core.words import answer_of, asks_for_no_calls, text_of

NOTHING = ["N/A", "no", "none", "null", "No aplica", "-", "ninguno", "sin información", "undefined", "NaN"]
AROUND = st.text(" .-_*'\"()…!¡", max_size=4)
YES = ["sí", "si", "yes", "true", "1", "verdadero"]
NO = ["no", "nope", "false", "0", "falso"]


def any_case(draw, word):
    return "".join(draw(st.sampled_from([char.upper(), char.lower()])) for char in word)


@given(st.data(), st.sampled_from(NOTHING), AROUND, AROUND)
def test_what_says_nothing_is_nothing_in_any_case_and_punctuation(data, word, before, after):
    assert text_of(before + any_case(data.draw, word) + after) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        False,
        [],
        "",
        {},
        "no indica",
        "No se mencionó una fecha",
        "not provided",
        "Sin especificar",
        "{{fecha_pago}}",
        "sin informacion",
        "desconocido",
    ],
)
def test_so_is_what_says_that_it_was_not_said(value):
    assert text_of(value) is None
    assert not asks_for_no_calls(value)


@pytest.mark.parametrize(
    "value", ["2026-12-01", "0", "$ 10.000", "no antes de las 15:00", "el viernes", 5, 2.5]
)
def test_anything_else_is_kept_as_it_was_written(value):
    assert text_of(value) == str(value)


@given(st.data(), st.sampled_from(YES), st.sampled_from(["", ".", ", pidió que no", " - lo pidió", "!", " "]))
def test_yes_is_read_from_the_first_word(data, word, after):
    said = any_case(data.draw, word) + after
    assert answer_of(said) is True
    assert asks_for_no_calls(said)


@given(st.data(), st.sampled_from(NO), st.sampled_from(["", ".", ", gracias", " - en ningún momento", " "]))
def test_so_is_no(data, word, after):
    said = any_case(data.draw, word) + after
    assert answer_of(said) is False
    assert not asks_for_no_calls(said)


@pytest.mark.parametrize(
    ("value", "answer"), [(True, True), (False, False), (1, True), (0, False), (1.0, True), (0.0, False)]
)
def test_yes_and_no_may_be_no_words(value, answer):
    assert answer_of(value) is answer
    assert asks_for_no_calls(value) is answer


@pytest.mark.parametrize(
    "said",
    [
        "pidió que no lo llamen",
        "Do not call",
        "No quiere que lo llamen más",
        "No llamar",
        "no la vuelvan a llamar",
        "solicitó baja",
    ],
)
def test_in_doubt_a_person_opted_out_and_nothing_else_is_true(said):
    assert asks_for_no_calls(said)
    assert answer_of(said) is not True


@pytest.mark.parametrize(
    "said", ["No", "No, en ningún momento", "no pidió eso", "N/A", "No aplica", "No solicitó"]
)
def test_a_plain_no_is_no_opt_out(said):
    assert not asks_for_no_calls(said)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
@example([10**5000])
def test_no_value_raises(value):
    text_of(value)
    answer_of(value)
    asks_for_no_calls(value)
