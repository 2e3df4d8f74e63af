"""The URL of a database: `mysql://user:password@host:3306/database?ssl=true`."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

_FORM = (
    "DATABASE_URL must look like mysql://user:password@host:3306/database, "
    "with special characters of the password in percent-encoding (%40 for @)"
)
_SCHEMES = frozenset({"mysql", "mysql+pymysql", "mariadb"})
_OPTIONS = ("ssl", "ssl_ca", "proxy", "secret")
_SWITCHES = {"true": True, "1": True, "required": True, "false": False, "0": False, "": False}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The parts of a database's URL."""

    host: str
    port: int
    user: str
    password: str
    database: str
    has_tls: bool
    ca_file: str | None
    """The file of the certificates that the server's is checked against; None for those of the system."""
    is_proxy: bool
    secret: str
    """The ARN of a secret with the user and the password; empty without one."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the parts. Raises ValueError, whose text quotes nothing that may be a part of the password."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError:
            raise ValueError(_FORM) from None
        if parts.scheme not in _SCHEMES or not host or not re.fullmatch(r"(/[^/@:]*)?", parts.path) or parts.fragment:
            raise ValueError(_FORM)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if not options.keys() <= set(_OPTIONS):
            raise ValueError(f"DATABASE_URL has an option that is not known: there are {', '.join(_OPTIONS)}")
        ca_file = options.get("ssl_ca") or None
        has_tls = _switch(options, "ssl", default=ca_file is not None)
        if ca_file and not has_tls:
            raise ValueError("DATABASE_URL names ssl_ca, which is of no use with ssl=false")
        return cls(
            host=host,
            port=port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path.lstrip("/") or "churn",
            has_tls=has_tls,
            ca_file=ca_file,
            is_proxy=_switch(options, "proxy", default=False),
            secret=options.get("secret", ""),
        )


def _switch(options: dict[str, str], name: str, *, default: bool) -> bool:
    value = options.get(name)
    if value is None:
        return default
    try:
        return _SWITCHES[value.lower()]
    except KeyError:
        raise ValueError(f"DATABASE_URL: {name} must be true or false") from None
