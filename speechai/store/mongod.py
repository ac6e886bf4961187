"""What a mongod of our own needs before it can be used: its replica set and its one user."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

REPLICA_SET = "rs0"
USER = "speechai"
# Everything on the data of any database, nothing on the server: it is ours alone.
ROLES = ["readWriteAnyDatabase", "dbAdminAnyDatabase"]

NOT_YET_INITIALIZED = 94
USER_ALREADY_EXISTS = 51003

Until = Callable[[Callable[[], bool]], None]


def uri(port: int, password: str) -> str:
    """The address of our mongod for every client."""
    login = f"{USER}:{quote(password, safe='')}"
    return f"mongodb://{login}@127.0.0.1:{port}/?replicaSet={REPLICA_SET}&authSource=admin"


def configure(port: int, *, key: str, password: str, until: Until) -> None:
    """Bring a mongod that has just been started to where it takes writes from our user.

    Does only what is still missing, so that it may be called at every start and after any crash: the
    replica set is made, or moved when the port is another than last time; the user is made, or given the
    password. We come as the set's own member (`__system`, by its key file): no administrator is needed.

    `until` calls back until it gets True, and raises when that takes too long.
    """
    with MongoClient[dict[str, object]](
        "127.0.0.1",
        port,
        username="__system",
        password=key,
        authSource="local",
        directConnection=True,
        serverSelectionTimeoutMS=500,
        connectTimeoutMS=2000,
        socketTimeoutMS=10_000,
    ) as client:
        until(lambda: _has_set(client, f"127.0.0.1:{port}"))
        until(lambda: _has_user(client, password))


def _has_set(client: MongoClient[dict[str, object]], member: str) -> bool:
    """Whether the set has this one member, and it is primary. Makes or moves the set first."""
    try:
        hello = client.admin.command("hello")
        if hello.get("isWritablePrimary") and hello.get("me") == member:
            return True
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] != member:
            config["members"][0]["host"] = member
            config["version"] += 1
            # Forced: under its old address the set has no primary that could agree.
            client.admin.command("replSetReconfig", config, force=True)
    except ConnectionFailure:
        pass  # not listening yet
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        if client.local["system.replset"].find_one():
            # It has one, and is still asking its former address whether that is itself: half a minute at
            # most, when who has that port now takes connections and says nothing.
            return False
        members = [{"_id": 0, "host": member}]
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
    return False


def _has_user(client: MongoClient[dict[str, object]], password: str) -> bool:
    try:
        try:
            client.admin.command("createUser", USER, pwd=password, roles=ROLES)
        except OperationFailure as error:
            if error.code != USER_ALREADY_EXISTS:
                raise
            client.admin.command("updateUser", USER, pwd=password, roles=ROLES)
    except ConnectionFailure:
        return False  # includes NotPrimaryError: the election is not over
    return True
