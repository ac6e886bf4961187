"""What the agent is told: computed at dial time, under the names its prompts use."""

from datetime import UTC, date, datetime, timedelta

from speechai.catalog.use_cases import UseCaseId
from speechai.core.variables import amount_text, days_past_due, dynamic_variables
from tests.builders import MONDAY_NOON, a_batch, a_debt, a_job


def told(job=None, instant=MONDAY_NOON, **batch):
    return dynamic_variables(job or a_job(), a_batch(**batch), instant)


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
    }
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
    variables = told(job, use_case=UseCaseId.MARKETING)
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
