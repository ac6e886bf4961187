"""Everything the web says, in Spanish and English: key → (Spanish, English)."""

from web.texts import errors, pages, words

TEXTS: dict[str, tuple[str, str]] = {**words.TEXTS, **pages.TEXTS, **errors.TEXTS}
