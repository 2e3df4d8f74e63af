"""The local AWS APIs: moto's server with the template's buckets, queues and secrets.

Objects of buckets are also written to a folder and put back at the next start: a trained model outlives moto,
which keeps everything in memory. Run as `python -m infra.local.servers.aws_apis CONFIG.json PORT FOLDER`.
"""

import contextlib
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

from infra.local.gateway.config import GatewayConfig, aws_client
from infra.local.side_doors import guarded
from infra.local.template.reader import load
from infra.local.template.specs import ACCOUNT, Template

_WRITES = {"PUT", "POST", "DELETE"}
_MAX_NAME = 200


class S3Mirror:
    """The objects of moto's buckets in a folder: for each, a file and a JSON file of its metadata."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._restored = False

    def restore(self, client: Any, buckets: Iterable[str]) -> int:
        """Put the stored objects back into their buckets; return their number. Store changes from then on."""
        count = 0
        for bucket in buckets:
            for described in sorted((self._folder / bucket).glob("*.json")):
                description = json.loads(described.read_text(encoding="utf-8"))
                content = described.with_suffix(".bin")
                # A described object without content is one whose writing was cut short.
                if content.is_file():
                    client.put_object(
                        Bucket=bucket,
                        Key=description["key"],
                        Body=content.read_bytes(),
                        ContentType=description["content_type"],
                        Metadata=description["metadata"],
                    )
                    count += 1
        self._restored = True
        return count

    def keep(self, bucket: str, key: str | None) -> None:
        """Make the folder agree with moto about one object, or about the whole bucket when `key` is None."""
        # Until then moto is empty, and the folder holds what it is to have.
        if not self._restored:
            return
        with self._lock:
            held = get_backend("s3")[ACCOUNT]["aws"].buckets.get(bucket)
            folder = self._folder / bucket
            if held is None:
                shutil.rmtree(folder, ignore_errors=True)
                return
            mirrored = {json.loads(path.read_text(encoding="utf-8"))["key"] for path in folder.glob("*.json")}
            for name in {key} if key is not None else mirrored | set(held.keys.keys()):
                self._keep_one(folder, name, held.keys.get(name))

    def _keep_one(self, folder: Path, key: str, held: Any) -> None:
        stem = _file_name(key)
        described, content = folder / f"{stem}.json", folder / f"{stem}.bin"
        if held is None or type(held).__name__ == "FakeDeleteMarker":
            described.unlink(missing_ok=True)
            content.unlink(missing_ok=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        described_by = {name.lower().removeprefix("x-amz-meta-"): value for name, value in held.metadata.items()}
        content_type = described_by.pop("content-type", "binary/octet-stream")
        # Moto keeps some headers of the request among the metadata.
        metadata = {name: value for name, value in described_by.items() if not name.startswith("x-amz-")}
        _replace(content, held.value)
        _replace(described, json.dumps({"key": key, "content_type": content_type, "metadata": metadata}).encode())


class Mirrored:
    """A WSGI application that keeps S3's objects once their request has been answered."""

    def __init__(self, application: Callable[..., Iterable[bytes]], mirror: S3Mirror) -> None:
        self._application = application
        self._mirror = mirror

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        answered = list(self._application(environ, start_response))
        if environ["REQUEST_METHOD"] in _WRITES and "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
            # What else is done to a whole bucket, such as creating it again at a start, leaves what is kept alone.
            whole = environ["REQUEST_METHOD"] == "DELETE" if not key else False
            if key or whole or "delete" in _query(environ):
                with contextlib.suppress(OSError):
                    self._mirror.keep(bucket, key or None)
        return answered


def make_resources(template: Template, config: GatewayConfig, mirror: S3Mirror) -> None:
    """Create the template's buckets, queues and secrets, and restore the buckets' objects."""
    s3, sqs, secrets = (aws_client(service, config) for service in ("s3", "sqs", "secretsmanager"))
    for bucket, versioned in template.buckets.items():
        place = {"CreateBucketConfiguration": {"LocationConstraint": config.region}}
        s3.create_bucket(Bucket=bucket, **({} if config.region == "us-east-1" else place))
        if versioned:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for queue, attributes in template.queues.items():
        sqs.create_queue(QueueName=queue, Attributes=dict(attributes))
    for name, text in template.secrets.items():
        secrets.create_secret(Name=name, SecretString=text or "{}")
    mirror.restore(s3, template.buckets)


def main(arguments: list[str]) -> int:
    """Run the process."""
    config_file, port, folder = Path(arguments[0]), int(arguments[1]), Path(arguments[2])
    config = GatewayConfig.read(config_file)
    template = load(Path(config.template), config.parameters, region=config.region, aws_endpoint=config.aws_endpoint)
    mirror = S3Mirror(folder)
    application = Mirrored(DomainDispatcherApplication(create_backend_app), mirror)
    # Resources are made through the same door as a function's requests, once the server listens.
    threading.Thread(target=_prepare, args=(template, port, config, mirror, folder), daemon=True).start()
    run_simple("127.0.0.1", port, guarded(application, config.door_key), threaded=True)
    return 0


def _prepare(template: Template, port: int, config: GatewayConfig, mirror: S3Mirror, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    make_resources(template, replace(config, aws_endpoint=f"http://127.0.0.1:{port}"), mirror)
    print("resources ready", flush=True)
    (folder / "ready").write_text(str(port), encoding="ascii")


def _query(environ: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _file_name(key: str) -> str:
    name = quote(key, safe="")
    if len(name) > _MAX_NAME:
        raise OSError(f"the name of the object is too long to be kept: {key}")
    return name


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
