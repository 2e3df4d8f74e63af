"""The database user of the functions, who may read and change rows, and of the audit trail change none."""

from pymysql.constants import ER

from churn.adapters.mysql.database import Database, Transaction
from churn.adapters.mysql.server_errors import StatementRefusedError

_RIGHTS = {"audit": "DELETE", "audit_links": "DELETE", "audit_ends": "UPDATE"}
"""What the user may do to a table's rows beside reading and adding them; retention deletes old ones of the trail."""


def make_user(database: Database, user: str, password: str) -> None:
    """Create the user, or set the password of the existing one; it needs the rights of the database's owner.

    Called after the migrations, since some of the rights are those on the tables that there are.
    """

    def make(transaction: Transaction) -> None:
        transaction.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", (user, password))
        transaction.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", (user, password))
        for row in transaction.rows(
            "SELECT TABLE_NAME AS name FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"
        ):
            rights = _RIGHTS.get(row["name"], "UPDATE, DELETE")
            transaction.execute(f"GRANT {rights} ON `{row['name']}` TO %s@'%%'", (user,))
        # On the connection's own database. All four first: a right that nobody has cannot be revoked.
        transaction.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON * TO %s@'%%'", (user,))
        transaction.execute("REVOKE UPDATE, DELETE ON * FROM %s@'%%'", (user,))

    database.run(make)


def change_password(database: Database, user: str, password: str) -> None:
    """Set a new password; on MySQL 8, the previous one stays valid until the next change."""
    statement = "ALTER USER %s@'%%' IDENTIFIED BY %s"
    try:
        database.run(lambda transaction: transaction.execute(f"{statement} RETAIN CURRENT PASSWORD", (user, password)))
    except StatementRefusedError as error:
        # MariaDB does not know the words, and an owner may lack the right to use them.
        if error.code not in {ER.PARSE_ERROR, ER.SPECIFIC_ACCESS_DENIED_ERROR}:
            raise
        database.run(lambda transaction: transaction.execute(statement, (user, password)))
