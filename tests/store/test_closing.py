"""Closing a database while its disk fails: it is let go of, and what was written is there."""

import apsw

from farthing.store.sqlite import SqliteDatabase
from farthing.testing.lossy_vfs import LossyVfs


class FailingDisk(LossyVfs):
    """A disk that does not sync any more, once it is told so."""

    fails = False

    def tick(self, operation):
        if self.fails and operation == "sync":
            raise apsw.IOError("the disk failed")
        super().tick(operation)


def test_a_disk_that_fails_at_the_last_moment_keeps_no_lock_and_loses_nothing(tmp_path, readers):
    disk = FailingDisk("failing-at-the-end")
    path = tmp_path / "books.db"
    database = SqliteDatabase(path, readers, vfs="failing-at-the-end")
    database.transact(lambda tx: tx.run("CREATE TABLE t (k BIGINT)"))
    database.transact(lambda tx: tx.run("INSERT INTO t VALUES (7)"))
    disk.fails = True
    database.close()
    disk.fails = False
    again = SqliteDatabase(path, readers, vfs="failing-at-the-end")
    assert again.transact(lambda tx: tx.rows("SELECT k FROM t")) == [(7,)]
    again.close()
    disk.unregister()
