"""Excel and CSV files → contacts: every row becomes a contact, joins one, or is rejected with its reason."""

from speechai.ingest.contacts import Contact, Debt, FileError, ParsedFile, Rejection
from speechai.ingest.limits import Limits
from speechai.ingest.reader import ReaderCrashedError, read_contacts

__all__ = [
    "Contact",
    "Debt",
    "FileError",
    "Limits",
    "ParsedFile",
    "ReaderCrashedError",
    "Rejection",
    "read_contacts",
]
