"""Every sentence exists in both languages, with the same blanks to fill."""

from __future__ import annotations

import re

from speechai.ingest.messages import MESSAGES, file_error, say, shorten


def test_both_languages_fill_the_same_blanks() -> None:
    for code, (spanish, english) in MESSAGES.items():
        assert spanish != english, code
        assert set(re.findall(r"{(\w+)", spanish)) == set(re.findall(r"{(\w+)", english)), code


def test_cells_are_shortened_and_variants_share_a_code() -> None:
    assert len(shorten("x" * 1000)) == 60 and shorten(None) == "" and shorten(" a\n b ") == "a b"
    assert file_error("bad_mapping_twice", "en", field="name").code == "bad_mapping"
    assert say("no_rows", "es") != say("no_rows", "en")
