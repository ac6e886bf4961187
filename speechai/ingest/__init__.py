"""Excel and CSV files → contacts: every row becomes a contact, joins one, or is rejected with its reason."""

from speechai.ingest.contacts import Contact, Debt, FileError, ParsedFile, Rejection
from speechai.ingest.limits import Limits
from speechai.ingest.reader import PlainTable, ReaderCrashedError, read_contacts, read_table

__all__ = [
    "Contact",
    "Debt",
    "FileError",
    "Limits",
    "ParsedFile",
    "PlainTable",
    "ReaderCrashedError",
    "Rejection",
    "read_contacts",
    "read_table",
]
