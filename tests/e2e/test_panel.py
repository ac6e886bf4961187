"""The panel in a real browser: upload, look, confirm, follow, one contact, English; and without a script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.site import ROOT, Site, write_people

WAIT = 60_000  # milliseconds that a batch of a few people may take


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "the panel's tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


Open = Callable[..., Page]


@pytest.fixture
def open_panel(browser: Browser, site: Site) -> Iterator[Open]:
    """Log in with a new browser window. No page may complain in its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A refused form is a 4xx of the page itself, which Chromium reports as well.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_it(**options: object) -> Page:
        context = browser.new_context(
            base_url=site.stack.panel_url,
            **{"locale": "es-CL", "viewport": {"width": 1280, "height": 900}, **options},
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.get_by_label("Correo").fill(site.stack.environment["ADMIN_EMAIL"])
        page.get_by_label("Contraseña").fill(site.stack.environment["ADMIN_PASSWORD"])
        page.get_by_role("button", name="Entrar").click()
        expect(page).to_have_url(f"{site.stack.panel_url}/")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def choose(page: Page, **fields: str) -> None:
    page.goto("/upload")
    for name, value in fields.items():
        if name == "file":
            page.locator("#file").set_input_files(value)
        elif page.locator(f"select#{name}").count():
            page.locator(f"#{name}").select_option(value)
        else:
            page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Revisar el archivo").click()


def test_an_operator_uploads_looks_confirms_and_follows(site: Site, open_panel: Open, tmp_path):
    people = write_people(tmp_path, 4)
    people.path.write_text(people.path.read_text() + "Sin Teléfono,12\n")
    site.simulator("script", {number: ["promise"] for number in people.numbers})
    page = open_panel()
    choose(page, file=str(people.path), policy="anytime", start="now", name="Del panel")

    expect(page.get_by_role("heading", level=1)).to_contain_text("¿Es esto lo que quiere llamar?")
    expect(page.get_by_role("row").filter(has_text="+5695")).to_have_count(4)
    expect(page.get_by_role("region", name="Filas rechazadas").get_by_role("row").nth(1)).to_contain_text(
        "12"
    )
    page.get_by_role("button", name="Confirmar y crear la campaña").click()

    expect(page).to_have_url(re.compile(r"/batches/batch-"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Del panel")
    done = page.locator('.tile [data-text="count.done"]')
    expect(done).to_have_text("4", timeout=WAIT)  # by itself: nobody reloads
    expect(page.locator('[data-text="rings"]')).to_have_text("4")
    expect(page.locator('[data-part="head"]')).to_contain_text("Terminada", timeout=WAIT)

    page.get_by_role("link", name="Filas rechazadas: 1").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("6")
    page.go_back()
    page.get_by_role("link", name=re.compile(r"^Persona \d+$")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Persona")
    expect(page.locator(".talk li").first).to_contain_text("asistente automático")
    expect(page.locator(".rules")).not_to_have_count(0)


def test_a_second_confirmation_makes_no_second_batch(site: Site, open_panel: Open, tmp_path):
    page = open_panel()
    choose(page, file=str(write_people(tmp_path, 1).path), policy="anytime", start="draft", name="Una vez")
    form = {
        name: page.locator(f"form[data-once] [name={name}]").input_value() for name in ("csrf_token", "token")
    }
    page.get_by_role("button", name="Confirmar y crear la campaña").click()
    expect(page).to_have_url(re.compile(r"/batches/batch-"))
    again = page.request.post("/upload/confirm", form=form, headers={"Referer": page.url})
    assert again.ok and again.url.endswith("/upload")
    named = [item for item in site.get("/api/batches", limit=200)["items"] if item["name"] == "Una vez"]
    assert len(named) == 1


def test_the_same_file_asks_first(open_panel: Open, tmp_path):
    people = write_people(tmp_path, 1)
    page = open_panel()
    for _ in range(2):
        choose(page, file=str(people.path), policy="anytime", start="draft")
        page.get_by_role("button", name="Confirmar y crear la campaña").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Este archivo ya es una campaña")
    page.get_by_role("button", name="Subirlo de todos modos").click()
    expect(page).to_have_url(re.compile(r"/batches/batch-"))


def test_a_bad_file_says_what_and_how_and_the_form_keeps_what_was_typed(open_panel: Open, tmp_path):
    bad = tmp_path / "lista.xlsx"
    bad.write_text("esto no es un libro")
    page = open_panel()
    choose(page, file=str(bad), policy="anytime", name="Con error")
    expect(page.locator("#file-error")).to_be_visible()
    expect(page.locator("#name")).to_have_value("Con error")


def test_the_whole_way_without_a_script(open_panel: Open, tmp_path):
    page = open_panel(java_script_enabled=False)
    choose(page, file=str(write_people(tmp_path, 2).path), policy="anytime", start="draft", name="Sin guion")
    page.get_by_role("button", name="Confirmar y crear la campaña").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sin guion")
    page.get_by_role("button", name="Empezar ahora").click()
    done = page.locator('.tile [data-text="count.pending"]')
    expect(done).to_have_text("0", timeout=WAIT)  # <noscript> reloads


def test_pause_resume_and_cancel(site: Site, open_panel: Open, tmp_path):
    batch_id = site.upload(write_people(tmp_path, 2).path, start="next_wave")["batch_id"]
    page = open_panel()
    page.goto(f"/batches/{batch_id}")
    page.get_by_role("button", name="Pausar").click()
    expect(page.locator('[data-part="head"]')).to_contain_text("En pausa")
    page.get_by_role("button", name="Reanudar").click()
    expect(page.get_by_role("button", name="Pausar")).to_be_visible()
    page.get_by_role("link", name="Cancelar campaña").click()
    page.get_by_role("button", name="Sí, cancelarla").click()
    expect(page.locator('[data-part="head"]')).to_contain_text("Cancelada")
    assert site.get(f"/api/batches/{batch_id}")["status"] == "cancelled"


def test_english_and_a_narrow_screen(open_panel: Open):
    page = open_panel(viewport={"width": 390, "height": 800})
    page.get_by_role("link", name="EN", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto("/upload")
    expect(page.get_by_role("button", name="Check the file")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "the page scrolls sideways"


def test_nobody_gets_in_without_the_password(browser: Browser, site: Site):
    context = browser.new_context(base_url=site.stack.panel_url, locale="es-CL")
    page = context.new_page()
    page.goto("/upload")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.get_by_label("Correo").fill(site.stack.environment["ADMIN_EMAIL"])
    page.get_by_label("Contraseña").fill("no es esta")
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("alert")).to_be_visible()
    context.close()


def test_the_picture_of_the_readme_is_there():
    assert (ROOT / "docs" / "panel.png").stat().st_size > 20_000
