"""The database: engine, transactions and the base of all tables. Tables live with the room that owns them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from ropewalk.atomic import locked
from ropewalk.errors import InputError

_BUSY_SECONDS = 30.0
_WRITES = "ropewalk_writes"


class Base(DeclarativeBase):
    """What every table inherits; `open_database` makes those whose module was imported."""


class DatabaseUnusable(InputError):
    """The database's file is none, or another version made it."""


def open_database(path: Path) -> Engine:
    """Open the SQLite database, with the tables of ``Base.metadata`` made where they are missing.

    Readers never wait for a writer (write-ahead log); a writer waits up to 30 s for another.

    Args:
        path: The file; it and its directory are made.

    Returns:
        An engine; use it through `reading` and `writing`.

    Raises:
        DatabaseUnusable: The file is no database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        _keep_a_write_ahead_log(path)
        with _immediate(engine).begin() as connection:
            Base.metadata.create_all(connection)
    except (sqlite3.DatabaseError, DatabaseError) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        if isinstance(cause, sqlite3.OperationalError):
            raise
        hint = "delete it and run `ropewalk inventory rebuild`: store and records hold the truth"
        raise DatabaseUnusable(f"is no database of ours: {cause}", where=str(path), hint=hint) from error
    return engine


def _keep_a_write_ahead_log(path: Path) -> None:
    """Set the file's journal mode, which stays in it, one process at a time.

    Where two connections change it in a new file at once, SQLite does not wait but fails.
    """
    lock = path.with_name(f"{path.name}.lock")
    with locked(lock), closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Set up a connection; transactions begin where `_begin` says, not where the driver guesses."""
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - tells mypy what the driver gives
    connection.isolation_level = None
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Take the write lock at once in a writing transaction, so that it waits there and cannot fail half-way."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _immediate(engine: Engine) -> Engine:
    return engine.execution_options(**{_WRITES: True})


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that sees one state of the database.

    Args:
        engine: Of `open_database`.

    Yields:
        The session.
    """
    with Session(engine) as session, session.begin():
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Open a session that alone may write; it is committed when the body succeeds, else nothing of it stays.

    Args:
        engine: Of `open_database`.

    Yields:
        The session.
    """
    with Session(_immediate(engine)) as session, session.begin():
        yield session
