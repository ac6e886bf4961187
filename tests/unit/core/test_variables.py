"""What the agent is told: computed at dial time, under the names its prompts use."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from speechai.catalog.flows import FlowFileError, flow_of, flows
from speechai.catalog.flows.flow import read_flow
from speechai.catalog.policies import preset
from speechai.catalog.use_cases import UseCaseId
from speechai.core.spoken import amount_in_words, date_in_words
from speechai.core.variables import amount_text, days_past_due, dynamic_variables
from tests.builders import MONDAY_NOON, a_batch, a_debt, a_job


def told(job=None, instant=MONDAY_NOON, flow="collections", policy="house", **batch):
    return dynamic_variables(job or a_job(), a_batch(**batch), flow_of(None, flow), preset(policy), instant)


def test_debt_collection():
    variables = told()
    assert variables == {
        "tipo_llamada": "cobranza",
        "nombre": "Ana Pérez",
        "empresa": "Casa Ejemplo",
        "RUT": "11111111-1",
        "fecha_actual": "2026-11-23",
        "monto_total": "104050",
        "moneda": "CLP",
        "cuotas_adeudadas": "2",
        "cantidad_cupones": "2",
        "fecha_limite": "2026-11-26",
        "fecha_maxima": "2026-11-30",
        "dias_vencidos": "22",
        "hora_actual": "12:00",
        "monto_total_hablado": "ciento cuatro mil cincuenta pesos",
        "fecha_limite_hablada": "jueves 26 de noviembre de 2026",
        "fecha_maxima_hablada": "lunes 30 de noviembre de 2026",
        "tipo_mora": "temprana",
        "apertura": "Tiene un pago pendiente y quisiéramos ayudarle a ponerse al día.",
        "tono": "cordial",
        "cuotas_ofrecidas": "1",
        "opciones_pago": "pagar el total",
        "pagar_hasta": "2026-11-28",
        "pagar_hasta_hablado": "sábado 28 de noviembre de 2026",
        "reglas": variables["reglas"],
    }
    assert variables["reglas"].startswith("Di al comienzo que es una llamada automatizada.")
    assert all(isinstance(value, str) and value for value in variables.values())


def test_it_is_computed_at_dial_time():
    later = told(instant=MONDAY_NOON + timedelta(days=5))
    assert later["fecha_limite"] == "2026-12-01"
    assert later["dias_vencidos"] == "27"


def test_the_day_is_the_persons():
    one_am_utc = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # still Monday in Santiago
    assert told(instant=one_am_utc)["fecha_actual"] == "2026-11-23"


def test_the_files_dates_hold_until_they_have_passed():
    job = a_job(debt=a_debt(deadline=date(2026, 11, 25), final_deadline=date(2026, 11, 20)))
    variables = told(job)
    assert variables["fecha_limite"] == "2026-11-25"
    assert variables["fecha_maxima"] == "2026-11-30"  # a date that has passed is not promised again


def test_the_batchs_day_counts_come_first():
    job = a_job(debt=a_debt(deadline=date(2026, 12, 24)))
    variables = told(job, deadline_days=1, final_deadline_days=10)
    assert (variables["fecha_limite"], variables["fecha_maxima"]) == ("2026-11-24", "2026-12-03")


def test_marketing_tells_the_offer_and_no_debt():
    job = a_job(debt=None, offer={"offer": "Fibra 600", "discount": "20"}, variables={"comuna": "Maipú"})
    variables = told(job, use_case=UseCaseId.MARKETING, flow="marketing")
    assert variables["descripcion_oferta"] == "Fibra 600"
    assert variables["descuento_porcentaje"] == "20"
    assert variables["comuna"] == "Maipú"
    assert "monto_total" not in variables


def test_a_files_column_never_overrides_what_we_compute():
    job = a_job(variables={"nombre": "OTRA", "monto_total": "1"})
    assert told(job)["nombre"] == "Ana Pérez"
    assert told(job)["monto_total"] == "104050"


def test_empty_values_are_left_out():
    assert "empresa" not in told(company=None)


def test_amounts_in_plain_digits():
    assert amount_text(104050, "CLP") == "104050"
    assert amount_text(123456, "ARS") == "1234.56"
    assert amount_text(123400, "ARS") == "1234"


def test_days_past_due():
    assert days_past_due(a_debt(due_date_oldest=date(2026, 12, 24)), date(2026, 11, 23)) == 0
    assert days_past_due(a_debt(due_date_oldest=None, days_late=31), date(2026, 11, 23)) == 31


@pytest.mark.parametrize(
    ("days", "bucket", "instalments", "discount"),
    [
        (-10, "preventiva", "1", None),
        (0, "preventiva", "1", None),
        (1, "temprana", "1", None),
        (30, "temprana", "1", None),
        (31, "media", "3", None),
        (60, "media", "3", None),
        (61, "tardia", "6", "5"),
        (90, "tardia", "6", "5"),
        (91, "prejudicial", "12", "10"),
        (4000, "prejudicial", "12", "10"),
    ],
)
def test_the_days_past_due_choose_what_may_be_offered(days, bucket, instalments, discount):
    due = (MONDAY_NOON - timedelta(days=days)).date()
    variables = told(a_job(debt=a_debt(due_date_oldest=due)))
    assert variables["tipo_mora"] == bucket
    assert variables["cuotas_ofrecidas"] == instalments
    assert variables.get("descuento_ofrecido") == discount


def test_a_discount_is_worked_out_and_said():
    variables = told(a_job(debt=a_debt(due_date_oldest=date(2026, 1, 1))))
    assert variables["monto_con_descuento"] == "93645"
    assert "noventa y tres mil seiscientos cuarenta y cinco pesos" in variables["opciones_pago"]


def test_only_what_the_flow_names_leaves_the_house():
    narrow = replace(flows()["collections"], variables=frozenset({"nombre"}), extra_columns=False)
    job = a_job(variables={"direccion": "Los Robles 12"})
    assert dynamic_variables(job, a_batch(), narrow, preset("house"), MONDAY_NOON) == {"nombre": "Ana Pérez"}


@pytest.mark.parametrize("use_case", UseCaseId)
def test_every_use_case_has_a_flow_of_its_own(use_case):
    assert sum(flow.use_case is use_case for flow in flows().values()) == 1


A_BUCKET = {"label_es": "x", "label_en": "x", "opening": "Hola."}


@pytest.mark.parametrize(
    ("buckets", "said"),
    [
        ([], "needs a bucket"),
        ([{"id": "a", "from_days": 0}], "below 0"),
        ([{"id": "a", "to_days": 30}], "from 30 days"),
        ([{"id": "a", "to_days": 30}, {"id": "b", "from_days": 31}], "a and b leave a gap: 30, 31"),
        ([{"id": "a", "to_days": 30}, {"id": "b", "from_days": 20}], "a and b overlap: 30, 20"),
        ([{"id": "a"}, {"id": "b", "from_days": 20}], "only the ends may be open"),
        (
            [
                {"id": "a", "to_days": 5},
                {"id": "b", "from_days": 5, "to_days": 5},
                {"id": "c", "from_days": 5},
            ],
            "b ends before it starts",
        ),
        ([{"id": "a", "discount_percent": 101}], "discount_percent"),
        ([{"id": "a", "colour": "red"}], "colour"),
    ],
)
def test_a_flow_with_a_gap_or_an_overlap_names_the_place(buckets, said):
    flow = {
        "id": "mine",
        "label_es": "x",
        "label_en": "x",
        "use_case": "debt_collection",
        "variables": ["nombre"],
        "buckets": [{**A_BUCKET, **bucket} for bucket in buckets],
    }
    with pytest.raises(FlowFileError, match=said):
        read_flow("mine", flow)


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("1", "CLP", "un peso"),
        ("21", "CLP", "veintiún pesos"),
        ("31000", "CLP", "treinta y un mil pesos"),
        ("21021", "CLP", "veintiún mil veintiún pesos"),
        ("1000000", "CLP", "un millón de pesos"),
        ("1000001", "CLP", "un millón un pesos"),
        ("1234.50", "ARS", "mil doscientos treinta y cuatro pesos con cincuenta centavos"),
        ("2", "USD", "dos dólares"),
        ("35.1234", "UF", "35.1234 UF"),
    ],
)
def test_amounts_are_said_as_people_say_them(amount, currency, said):
    assert amount_in_words(Decimal(amount), currency) == said


def test_dates_are_said_as_people_say_them():
    assert date_in_words(date(2026, 12, 1)) == "martes 1 de diciembre de 2026"
