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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from infra.local.template import schema
from infra.local.template.intrinsics import parse_yaml
from infra.tools.stack_environment import NotRunning, endpoints, stack_environment, state_folder

_BUILT = Path(".aws-sam/build/template.yaml")
_SAM = Path(".local/sam/bin/sam")
_HOST = "host.docker.internal"
_LOOPBACK = re.compile(r"(?<![\w.-])(?:127\.0\.0\.1|localhost):(\d+)")
_SERVED = ("AWS::Serverless::Function", "AWS::Serverless::Api", "AWS::Serverless::LayerVersion")
_IMAGE = "public.ecr.aws/lambda/python:3.13"


class CannotRun(RuntimeError):
    """SAM cannot be run as things are; the text says what to do about it."""


def for_containers(environment: Mapping[str, str]) -> tuple[dict[str, str], set[int]]:
    """A function's variables as they are inside a container, and the ports of this machine that they name."""
    ports: set[int] = set()

    def moved(match: re.Match[str]) -> str:
        ports.add(int(match[1]))
        return f"{_HOST}:{match[1]}"

    moved_in = {name: _LOOPBACK.sub(moved, value) for name, value in environment.items()}
    # A Kafka broker names its own address to its clients, and the stack's names the loopback address.
    return {**moved_in, "MODEL_PATH": "/opt/model/model.npz", "OUTPUT_TOPIC": ""}, ports


def local_template(built: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The built template with what `sam local` serves of it, and functions that see `variables`.

    `sam local` sets only variables that the template declares, so they are declared here. Raises CannotRun when nothing
    is built.
    """
    if not built.exists():
        raise CannotRun("nothing is built: make build")
    template = parse_yaml(built.read_text(encoding="utf-8"))
    common: dict[str, Any] = template["Globals"]["Function"]
    resources: dict[str, Any] = {
        name: {"Type": resource["Type"], "Properties": resource["Properties"], "Metadata": resource.get("Metadata", {})}
        for name, resource in template["Resources"].items()
        if resource["Type"] in _SERVED
    }
    for resource in resources.values():
        resource["Properties"] = _of_local_meaning(resource["Type"], resource["Properties"])
        declared = resource["Properties"].get("Environment", {}).get("Variables", {})
        declared.update({name: variables[name] for name in declared.keys() & variables.keys()})
    common.setdefault("Environment", {}).setdefault("Variables", {}).update(variables)
    template["Globals"] = {"Function": _of_local_meaning("AWS::Serverless::Function", common)}
    return {**template, "Resources": _without_aliases(resources), "Outputs": {}}


def _of_local_meaning(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties without those that have no meaning on one machine.

    `sam local` cannot resolve the ARN of a function whose name is put together from others.
    """
    spec = {**schema.RESOURCE_SPECS[kind], "Architectures": schema.USED, "FunctionName": schema.MOOT}
    return {name: value for name, value in properties.items() if spec.get(name) is not schema.MOOT}


def _without_aliases(value: Any) -> Any:
    """Functions in the place of their aliases: `sam local` leaves a route open whose authorizer is an alias."""
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
    """Passes the ports on from Docker's bridge for the length of the block; gives the address that containers use.

    A server that listens on every address is there already. Docker Desktop's bridge is not of this machine, and its
    name for the host reaches the loopback address.
    """
    # Docker takes the subnet's first address for the bridge, and does not always tell.
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
    """What a server does with a connection to have it end at a port of the loopback address."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pour(reader, there_writer), _pour(there_reader, writer))
        there_writer.close()
        writer.close()

    return relay


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on one direction of a connection, its end too."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _docker(*arguments: str) -> str:
    """What docker says. Raises CannotRun when it says nothing."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise CannotRun("SAM runs functions in containers, and no Docker engine answers: start one") from None
    return done.stdout.strip()


def _has_image(architecture: str) -> bool:
    return bool(_docker("image", "ls", "--quiet", f"{_IMAGE}-{architecture}"))


async def _run(given: argparse.Namespace) -> int:
    environment = stack_environment()
    variables, ports = for_containers(environment)
    # In the same folder the relative paths to the artefacts stay true.
    template = _BUILT.with_name("local.json")
    template.touch(mode=0o600)
    template.write_text(json.dumps(local_template(_BUILT, variables)), encoding="utf-8")
    async with relays(ports) as address:
        command = [str(_SAM), "local", *given.command, "--template", str(template)]
        command += ["--add-host", f"{_HOST}:{address}", "--parameter-overrides", f"Architecture={given.architecture}"]
        if _has_image(given.architecture):
            command.append("--skip-pull-image")
        print(shlex.join(command), flush=True)
        region = environment["AWS_REGION"]
        # SAM hands these to the functions; its own wish to tell about itself is declined.
        own = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": region}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        if given.told:
            told = state_folder() / "sam-endpoints.json"
            told.touch(mode=0o600)
            told.write_text(json.dumps({**endpoints(), "base_url": given.told}, indent=2) + "\n", encoding="utf-8")
        asked = asyncio.Event()
        # Before SAM starts, which would else be as deaf to a signal as a shell made this process in its background.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        process = await asyncio.create_subprocess_exec(
            *command, env={**kept, **own, "AWS_REGION": region, "SAM_CLI_TELEMETRY": "0"}, start_new_session=True
        )
        end = asyncio.create_task(asked.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait([end, ended], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.send_signal(signal.SIGINT)
        end.cancel()
        return await ended


def main(arguments: list[str]) -> int:
    """Run SAM as the command line says; its exit code, or 1 with a sentence on the screen when it cannot run.

    ``sam-endpoints.json``, beside the stack's ``endpoints.json``, has the address of SAM's REST API in its place.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.tools.sam_local", description=__doc__)
    parser.add_argument("--architecture", default="x86_64")
    commands = parser.add_subparsers(required=True)
    api = commands.add_parser("api", help="serve the REST API")
    api.add_argument("--port", default="3100")
    invoke = commands.add_parser("invoke", help="invoke one function with an event")
    invoke.add_argument("function")
    invoke.add_argument("event")
    given = parser.parse_args(arguments)
    given.told = f"http://127.0.0.1:{given.port}" if "port" in given else None
    if given.told:
        given.command = ["start-api", "--port", given.port, "--warm-containers", "LAZY"]
    else:
        given.command = ["invoke", given.function, "--event", given.event]
    try:
        return asyncio.run(_run(given))
    except (CannotRun, NotRunning) as error:
        print(f"{error} (state: {state_folder()})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
