"""`make sam-api` and `make sam-invoke`: what was built, in SAM's containers, on the servers of the running local stack.

The stack's servers listen on the loopback address, which a container cannot reach: while SAM runs, the same ports on
Docker's bridge, which nobody else can, are passed on to them.
"""

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from churn.settings import OTLP_ENDPOINT
from infra import console
from infra.local.options import state_folder
from infra.local.private_files import write_private
from infra.local.side_doors import aws_credentials
from infra.local.template import schema
from infra.local.template.intrinsics import parse_yaml
from infra.tools.sam_api import ColdFunctionError, WarmingRequest, warm, warming_requests, without_tracebacks
from infra.tools.stack_environment import NotRunningError, endpoints, stack_environment

_BUILT = Path(".aws-sam/build/template.yaml")
_SAM = Path(".local/sam/bin/sam")
_HOST = "host.docker.internal"
_LOOPBACK = re.compile(r"(?<![\w.-])(?:127\.0\.0\.1|localhost):(\d+)")
_SERVED = ("AWS::Serverless::Function", "AWS::Serverless::Api", "AWS::Serverless::LayerVersion")
# The first function also waits for SAM's image.
_WARM_SECONDS = 600.0
# A function logs a batch in one line.
_LINE_BYTES = 8 * 1024 * 1024
_IMAGE = "public.ecr.aws/lambda/python:3.13"


class SamError(RuntimeError):
    """SAM cannot run; the text says what to do about it."""


def for_containers(environment: Mapping[str, str]) -> tuple[dict[str, str], set[int]]:
    """Return a function's variables as they are inside a container, and the ports of this machine that they name."""
    ports: set[int] = set()

    def host_address(match: re.Match[str]) -> str:
        ports.add(int(match[1]))
        return f"{_HOST}:{match[1]}"

    variables = {name: _LOOPBACK.sub(host_address, value) for name, value in environment.items()}
    # A Kafka broker names its own address to its clients, and the stack's names the loopback address.
    # What was built has no layer of tracing, which a parameter of the deployment adds.
    own = {"MODEL_PATH": "/opt/model/model.npz", "OUTPUT_TOPIC": "", OTLP_ENDPOINT: ""}
    return {**variables, **own}, ports


def local_template(built: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the part of the built template that `sam local` serves, with functions that see `variables`.

    `sam local` sets only variables that the template declares, so they are declared here. Raises SamError if nothing is
    built.
    """
    if not built.exists():
        raise SamError("nothing is built: make build")
    template = parse_yaml(built.read_text(encoding="utf-8"))
    common: dict[str, Any] = template["Globals"]["Function"]
    resources: dict[str, Any] = {
        name: {"Type": resource["Type"], "Properties": resource["Properties"], "Metadata": resource.get("Metadata", {})}
        for name, resource in template["Resources"].items()
        if resource["Type"] in _SERVED
    }
    for resource in resources.values():
        resource["Properties"] = _local_properties(resource["Type"], resource["Properties"])
        declared = resource["Properties"].get("Environment", {}).get("Variables", {})
        declared.update({name: variables[name] for name in declared.keys() & variables.keys()})
    common.setdefault("Environment", {}).setdefault("Variables", {}).update(variables)
    template["Globals"] = {"Function": _local_properties("AWS::Serverless::Function", common)}
    return {**template, "Resources": _without_aliases(resources), "Outputs": {}}


def _local_properties(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties without those that mean nothing on one machine.

    `sam local` cannot resolve the ARN of a function whose name is put together from others.
    """
    spec = {**schema.RESOURCE_SPECS[kind], "Architectures": schema.USED, "FunctionName": schema.MOOT}
    return {name: value for name, value in properties.items() if spec.get(name) is not schema.MOOT}


def _without_aliases(value: Any) -> Any:
    """Replace aliases by their functions: `sam local` leaves a route open whose authorizer is an alias."""
    match value:
        case {"Ref": str() as name} if name.endswith(".Alias"):
            return {"Fn::GetAtt": [name.removesuffix(".Alias"), "Arn"]}
        case dict():
            return {key: _without_aliases(item) for key, item in value.items()}
        case list():
            return [_without_aliases(item) for item in value]
    return value


@contextlib.asynccontextmanager
async def relays(ports: set[int]) -> AsyncIterator[str]:
    """Relay the ports from Docker's bridge for the length of the block, and yield the address that containers use.

    A server that listens on every address needs no relay. Docker Desktop's bridge is not on this machine, but its name
    for the host reaches the loopback address.
    """
    # The bridge has the subnet's first address, which Docker does not always report.
    subnet = _docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    async with contextlib.AsyncExitStack() as stack:
        address = gateway
        for port in sorted(ports):
            try:
                server = await asyncio.start_server(relay_to_loopback(port), gateway, port)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                address = "host-gateway"
                break
            stack.callback(server.close)
        yield address


def relay_to_loopback(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return a server's handler that relays a connection to a port of the loopback address."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))
        target_writer.close()
        writer.close()

    return relay


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction of a connection, its end included."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _docker(*arguments: str) -> str:
    """Return what docker prints.

    Raises SamError if it fails.
    """
    try:
        result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SamError("SAM runs functions in containers, and no Docker engine answers: start one") from None
    return result.stdout.strip()


def check() -> None:
    """Check that the local stack runs, and a Docker engine.

    Raises NotRunningError, SamError.
    """
    stack_environment()
    _docker("version", "--format", "{{.Server.Version}}")


def _has_image(architecture: str) -> bool:
    return bool(_docker("image", "ls", "--quiet", f"{_IMAGE}-{architecture}"))


async def _run_sam(options: argparse.Namespace) -> int:
    """Run SAM on the stack's servers until it ends or this process is stopped; return its exit code."""
    environment = stack_environment()
    variables, ports = for_containers(environment)
    # In the same folder the relative paths to the artefacts stay true.
    template = _BUILT.with_name("local.json")
    content = local_template(_BUILT, variables)
    write_private(template, json.dumps(content))
    async with relays(ports) as address:
        command = [str(_SAM), "local", *_sam_arguments(options), "--template", str(template)]
        command += ["--add-host", f"{_HOST}:{address}", "--parameter-overrides", f"Architecture={options.architecture}"]
        if _has_image(options.architecture):
            command.append("--skip-pull-image")
        print(shlex.join(command), flush=True)
        sam = _until_stopped(command, _sam_environment(environment["AWS_REGION"], environment["AWS_ACCESS_KEY_ID"]))
        if options.command != "api":
            return await sam
        served = asyncio.create_task(sam)
        await _announce_when_warm(f"http://127.0.0.1:{options.port}", warming_requests(content), served)
        return await served


async def _announce_when_warm(base_url: str, requests: list[WarmingRequest], served: asyncio.Task[int]) -> None:
    """Write the addresses and say ready, once every function has answered, unless SAM ends before that."""
    addresses = {**endpoints(), "base_url": base_url}
    warming = asyncio.create_task(warm(base_url, str(addresses["token"]), requests, _WARM_SECONDS))
    await asyncio.wait([warming, served], return_when=asyncio.FIRST_COMPLETED)
    if not warming.done():
        warming.cancel()
        return
    try:
        await warming
    except ColdFunctionError as error:
        print(f"not ready: {error}; its log is above", file=sys.stderr, flush=True)
        return
    write_private(state_folder(os.environ) / "sam-endpoints.json", json.dumps(addresses, indent=2) + "\n")
    print(f"ready: {base_url}, {len(requests)} functions", flush=True)


async def _until_stopped(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; interrupt it when this process is told to stop; return its exit code."""
    stop = asyncio.Event()
    # Before SAM starts, which would otherwise inherit a background shell's ignored signals.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, start_new_session=True, stderr=asyncio.subprocess.PIPE, limit=_LINE_BYTES
    )
    assert process.stderr  # noqa: S101
    showing = asyncio.create_task(_show(process.stderr))
    stopping = asyncio.create_task(stop.wait())
    ending = asyncio.create_task(process.wait())
    await asyncio.wait([stopping, ending], return_when=asyncio.FIRST_COMPLETED)
    if not ending.done():
        process.send_signal(signal.SIGINT)
    stopping.cancel()
    code = await ending
    await showing
    return code


async def _show(output: asyncio.StreamReader) -> None:
    async for line in without_tracebacks(output):
        sys.stderr.buffer.write(line)
        sys.stderr.flush()


def _sam_arguments(options: argparse.Namespace) -> list[str]:
    if options.command == "api":
        return ["start-api", "--port", options.port, "--warm-containers", "LAZY"]
    return ["invoke", options.function, "--event", options.event]


def _sam_environment(region: str, door_key: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    # SAM hands these to the functions; its own telemetry is off.
    options = {"SAM_CLI_TELEMETRY": "0", "PYTHONUNBUFFERED": "1"}
    return {**inherited, **aws_credentials(door_key), **options, "AWS_DEFAULT_REGION": region, "AWS_REGION": region}


def main(arguments: list[str]) -> int:
    """Run SAM as the command line says; return its exit code, or 1 (`check`: 2) with a sentence if it cannot run.

    ``sam-endpoints.json``, beside the stack's ``endpoints.json``, has the address of SAM's REST API in its place.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "check":
            check()
            return 0
        return asyncio.run(_run_sam(options))
    except (SamError, NotRunningError) as error:
        print(f"{error} (state: {state_folder(os.environ)})", file=sys.stderr)
        return 2 if options.command == "check" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.sam_local", description=__doc__)
    parser.add_argument("--architecture", default="x86_64")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check that the local stack and a Docker engine run")
    api = commands.add_parser("api", help="serve the REST API")
    api.add_argument("--port", default="3100")
    invoke = commands.add_parser("invoke", help="invoke one function with an event")
    invoke.add_argument("function")
    invoke.add_argument("event")
    return parser


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
