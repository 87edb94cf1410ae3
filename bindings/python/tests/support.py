"""support.py: a folder and a database for each test, and a lock that holds a job back. Not tests."""
import contextlib
import os
import shutil
import sqlite3
import tempfile
import unittest

from botkeep import Keeper


class Case(unittest.TestCase):
    """Each test has its own folder, self.dir, with a small database, self.db."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='python-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.db = os.path.join(self.dir, 'bot.db')
        with contextlib.closing(self.connect()) as connection:
            connection.executescript(
                "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
                "INSERT INTO users (name) VALUES ('ada'), ('bob'), ('Zoë');")

    def connect(self):
        return sqlite3.connect(self.db, isolation_level=None, timeout=30, check_same_thread=False)

    def keeper(self, **options):
        """A keeper, not open, on the test's database."""
        given = {'database': self.db, 'backup_dir': os.path.join(self.dir, 'backups'), 'env_file': '',
                 'backup_every': 0, 'backup_on_shutdown': False, **options}
        keeper = Keeper(**given)
        self.addCleanup(keeper.close)
        return keeper

    @contextlib.contextmanager
    def locked(self):
        """While this is held no backup gets on: the host holds the database for itself. Yields what
        lets go of it."""
        connection = self.connect()
        connection.execute('BEGIN EXCLUSIVE')
        try:
            yield connection.rollback
        finally:
            connection.close()

    def fill(self, megabytes):
        """Makes the database as large, of bytes that do not compress."""
        with contextlib.closing(self.connect()) as connection:
            connection.executescript(
                "CREATE TABLE blobs (data BLOB);"
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                "INSERT INTO blobs SELECT randomblob(1000000) FROM n;" % megabytes)
