"""In which zone a person's days are counted and a number's hours are judged."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from phonenumbers import NumberParseException, parse
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

from speechai.catalog.use_cases import Country

ZONE_OF_COUNTRY = {
    Country.CL: ZoneInfo("America/Santiago"),
    Country.AR: ZoneInfo("America/Argentina/Buenos_Aires"),
}
ZONES_OF_COUNTRY = {  # everywhere that a mobile number of the country may be
    Country.CL: (
        ZONE_OF_COUNTRY[Country.CL],
        ZoneInfo("America/Punta_Arenas"),
        ZoneInfo("Pacific/Easter"),
    ),
    Country.AR: (ZONE_OF_COUNTRY[Country.AR],),
}
_ZONE_OF_PREFIX = (  # the longer prefix first: landlines betray their place
    ("+5632210", ZoneInfo("Pacific/Easter")),
    ("+5632255", ZoneInfo("Pacific/Easter")),
    ("+5661", ZoneInfo("America/Punta_Arenas")),
    ("+56", ZONE_OF_COUNTRY[Country.CL]),
    ("+54", ZONE_OF_COUNTRY[Country.AR]),
)


_ZONE_OF_PLACE = {  # what a region, a commune or a city is called, without accents
    "magallanes": ZoneInfo("America/Punta_Arenas"),
    "punta arenas": ZoneInfo("America/Punta_Arenas"),
    "puerto natales": ZoneInfo("America/Punta_Arenas"),
    "porvenir": ZoneInfo("America/Punta_Arenas"),
    "isla de pascua": ZoneInfo("Pacific/Easter"),
    "rapa nui": ZoneInfo("Pacific/Easter"),
    "hanga roa": ZoneInfo("Pacific/Easter"),
}
PLACE_COLUMNS = ("region", "comuna", "ciudad")  # as an upload's columns are named


def zone_of_place(variables: Mapping[str, str]) -> ZoneInfo | None:
    """The zone of the place that the file gives for a Chilean contact, where it has one of its own."""
    for column in PLACE_COLUMNS:
        place = _plain(variables.get(column, ""))
        if zone := next((zone for name, zone in _ZONE_OF_PLACE.items() if name in place), None):
            return zone
    return None


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def zones_of_number(number: str, default: ZoneInfo) -> tuple[ZoneInfo, ...]:
    """Every zone in which the number may be: one by a Chilean or Argentine prefix, else those that its
    numbering plan knows, else `default`."""
    for prefix, zone in _ZONE_OF_PREFIX:
        if number.startswith(prefix):
            return (zone,)
    return _foreign_zones(number) or (default,)


def zone_of_number(number: str, default: ZoneInfo) -> ZoneInfo:
    """The one zone in which a number's days are counted."""
    return zones_of_number(number, default)[0]


@functools.lru_cache(maxsize=4096)
def _foreign_zones(number: str) -> tuple[ZoneInfo, ...]:
    try:
        names = time_zones_for_number(parse(number))
    except NumberParseException:
        return ()
    return tuple(ZoneInfo(name) for name in names if name != UNKNOWN_TIMEZONE)


def country_of_number(number: str) -> Country:
    """The country whose number it is; Chile for one of neither."""
    return Country.AR if number.startswith("+54") else Country.CL


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date at `instant` in `zone`."""
    return instant.astimezone(zone).date()
