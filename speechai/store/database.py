"""The connection to MongoDB, and how the product's values are written in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from pymongo.read_concern import ReadConcern

Document = dict[str, Any]
Db = Database[Document]
Session = ClientSession
T = TypeVar("T")

SCHEMA_VERSION = 1
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # later than it means: there is an instant

__all__ = ["SCHEMA_VERSION", "Db", "Document", "PyMongoError", "connect", "day_text", "decimal_of", "money"]


class DatabaseAddressError(Exception):
    """MONGO_URI cannot be used; the message says why and what to do."""


def connect(uri: str, name: str, *, pool_size: int = 50) -> Db:
    """The database `name` on the servers of `uri`. Connects at first use, so it never blocks.

    Writes wait for a majority: an attempt that is on record before its call is placed must still be on
    record after a failover. Raises DatabaseAddressError for an address that cannot be read.
    """
    try:
        client: MongoClient[Document] = MongoClient(
            uri,
            w="majority",
            retryWrites=True,
            maxPoolSize=pool_size,
            serverSelectionTimeoutMS=5000,
            connectTimeoutMS=5000,
            # No socketTimeoutMS: a write that is cut off is a write whose fate is unknown. The sweep
            # and the driver's own heartbeat deal with a server that stops answering.
            appname="speechai",
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise DatabaseAddressError(f"MONGO_URI: {error}") from error
    return client.get_database(name, codec_options=CodecOptions(tz_aware=True, tzinfo=UTC))


def sealed_later(collection: Collection[Document]) -> Collection[Document]:
    """The collection, for writes that need not wait for a majority themselves.

    The oplog is in order: a majority write that follows seals every write before it, and if one of them is
    lost with its server, so is the guard that the later write depends on. For the rest, the sweep heals.
    """
    return collection.with_options(write_concern=WriteConcern(w=1))


def in_transaction(collection: Collection[Document], work: Callable[[Session], T]) -> T:
    """Do `work` in one transaction: all of its writes or none, from one view of the data.

    Where another write was quicker with one of its documents, nothing is written and it begins anew: `work`
    reads what it decides by itself, in the session that it is given.
    """
    with collection.database.client.start_session() as session:
        # "local" within a transaction is one newest view, its own process's last writes included.
        return session.with_transaction(
            work, read_concern=ReadConcern("local"), write_concern=WriteConcern("majority")
        )


def in_one_view(collection: Collection[Document], read: Callable[[Session], T]) -> T:
    """Read several times from one newest view of the data."""
    with collection.database.client.start_session() as session:
        # Committing what wrote nothing need not wait for a majority.
        return session.with_transaction(
            read, read_concern=ReadConcern("local"), write_concern=WriteConcern(w=1)
        )


def money(amount: Decimal) -> Decimal128:
    """An exact decimal as MongoDB keeps it."""
    return Decimal128(amount)


NOTHING = money(Decimal(0))  # made once: an upload needs it for each of its jobs


def decimal_of(value: Any) -> Decimal:
    """A stored amount as an exact decimal; absent is zero."""
    if isinstance(value, Decimal128):
        return value.to_decimal()
    return Decimal(str(value)) if value is not None else Decimal(0)


@lru_cache(maxsize=20_000)  # an upload asks for a few days, for each of its jobs
def day_text(day: date | None) -> str | None:
    """A calendar date as it is stored: "2026-11-23"."""
    return day.isoformat() if day else None


def day_of(text: str | None) -> date | None:
    """The calendar date that was stored."""
    return date.fromisoformat(text) if text else None


def plus_seconds(seconds: float) -> Document:
    """An aggregation expression: the database's own clock plus some seconds. Leases are judged by it."""
    return {"$add": ["$$NOW", int(seconds * 1000)]}
