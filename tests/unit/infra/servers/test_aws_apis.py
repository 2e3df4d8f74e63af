"""What is kept of S3 between two runs of the local stack."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from infra.local.servers.aws_apis import Mirrored, S3Mirror


class _Recorded(S3Mirror):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept: list[tuple[str, str | None]] = []

    def keep(self, bucket: str, key: str | None) -> None:
        self.kept.append((bucket, key))


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


@pytest.mark.parametrize(
    ("method", "path", "query", "kept"),
    [
        ("PUT", "/models", "", []),
        ("PUT", "/models", "versioning", []),
        ("PUT", "/models/current.json", "", [("models", "current.json")]),
        ("DELETE", "/models/a%2Fb", "", [("models", "a/b")]),
        ("POST", "/models", "delete", [("models", None)]),
        ("DELETE", "/models", "", [("models", None)]),
        ("GET", "/models/current.json", "", []),
    ],
)
def test_making_a_bucket_anew_leaves_what_is_kept_of_it(
    tmp_path: Path, method: str, path: str, query: str, kept: list[tuple[str, str | None]]
) -> None:
    mirror = _Recorded(tmp_path)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=local/20261123/eu-central-1/s3/aws4_request",
    }
    assert Mirrored(_application, mirror)(environ, lambda *_: None) == [path.encode()]
    assert mirror.kept == kept
