"""Excel and CSV files → contacts: every row becomes a contact, joins one, or is rejected with its reason."""

from speechai.ingest.contacts import Contact, Debt, FileError, ParsedFile, Rejection
from speechai.ingest.limits import Limits
from speechai.ingest.lists import DO_NOT_CALL, PAYMENTS, ListRow, read_list
from speechai.ingest.reader import ReaderCrashedError, read_contacts

__all__ = [
    "DO_NOT_CALL",
    "PAYMENTS",
    "Contact",
    "Debt",
    "FileError",
    "Limits",
    "ListRow",
    "ParsedFile",
    "ReaderCrashedError",
    "Rejection",
    "read_contacts",
    "read_list",
]
