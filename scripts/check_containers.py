"""Checks Dockerfile, .dockerignore, docker-compose.yml and .env.example without Docker.

Usage: check_containers.py [path of the concord binary]

With the binary, the subcommands that the files use are asked of it too. Where `docker compose` is installed, it reads
the file as well.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
INSTRUCTIONS = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL",
    "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}
SERVICE_KEYS = {
    "build", "command", "depends_on", "env_file", "environment", "healthcheck", "image", "ports", "restart",
    "stop_grace_period", "volumes",
}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::?([-?])([^}]*))?\}")

faults: list[str] = []


def wrong(text: str) -> None:
    faults.append(text)


def dockerfile_steps() -> list[tuple[str, str]]:
    """The instructions, continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple((line.split(None, 1) + [""])[:2]) for line in joined.splitlines()]


def let_through_to_the_builder() -> list[str]:
    """The exceptions of .dockerignore, which leaves out all else."""
    lines = (ROOT / ".dockerignore").read_text().split()
    return [line[1:] for line in lines if line.startswith("!")]


def check_dockerfile() -> None:
    steps = dockerfile_steps()
    # What each stage has said, which whoever builds on it inherits.
    stages, last, stage_name = {}, {}, None
    for name, rest in steps:
        if name not in INSTRUCTIONS:
            wrong(f"Dockerfile: {name} is no instruction")
        if name == "FROM":
            parts = rest.split()
            if ":" not in parts[0] and parts[0] not in stages:
                wrong(f"Dockerfile: FROM {parts[0]} names no version")
            last = dict(stages.get(parts[0], {}))
            stage_name = parts[2] if len(parts) == 3 else None
        if stage_name:
            stages[stage_name] = last
        if name == "COPY":
            words = shlex.split(rest)
            stage = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), None)
            for source in [] if stage else [word for word in words if not word.startswith("--")][:-1]:
                if not (ROOT / source).exists():
                    wrong(f"Dockerfile: COPY {source}: there is no such file")
            if stage and stage not in stages:
                wrong(f"Dockerfile: COPY --from={stage}: there is no such stage")
        last[name] = rest
    if last.get("USER", "root").split(":")[0] in {"root", "0"}:
        wrong("Dockerfile: the image runs as root")
    for needed in ("HEALTHCHECK", "ENTRYPOINT"):
        if needed not in last:
            wrong(f"Dockerfile: the image has no {needed}")


def check_dockerignore() -> None:
    """What reaches the builder must be enough for Cargo, and no secret may."""
    let_through = let_through_to_the_builder()
    for name in let_through:
        if not (ROOT / name).exists():
            wrong(f".dockerignore: {name} does not exist")
    if any(Path(name).name.startswith(".env") for name in let_through):
        wrong(".dockerignore: lets .env through")
    manifest = (ROOT / "Cargo.toml").read_text()
    members = re.search(r"members = \[([^\]]*)\]", manifest)
    named = re.findall(r'"([^"]+)"', members[1] if members else "") + re.findall(r'\bpath = "([^"]+)"', manifest)
    # Cargo refuses a manifest that declares a target whose file is not there, whatever is built.
    targets = {"bench": "benches", "test": "tests", "example": "examples"}
    named += [targets[kind] for kind in re.findall(r"^\[\[(bench|test|example)\]\]", manifest, re.MULTILINE)]
    for path in named:
        if path.split("/")[0] not in let_through:
            wrong(f".dockerignore: {path}, which Cargo.toml names, does not reach the builder")


def check_service(name: str, service: dict, compose: dict) -> None:
    for key in service.keys() - SERVICE_KEYS:
        wrong(f"docker-compose.yml: {name}: {key} is not a known field")
    if "image" not in service and "build" not in service:
        wrong(f"docker-compose.yml: {name}: has neither image nor build")
    for other, how in service.get("depends_on", {}).items():
        there = compose["services"].get(other)
        condition = how.get("condition")
        if there is None:
            wrong(f"docker-compose.yml: {name}: depends on {other}, which is not there")
        elif condition not in CONDITIONS:
            wrong(f"docker-compose.yml: {name}: {condition} is no condition")
        elif condition == "service_healthy" and "test" not in there.get("healthcheck", {}):
            wrong(f"docker-compose.yml: {name}: waits for {other} to be healthy, which has no health check")
        elif condition == "service_completed_successfully" and there.get("restart") != "no":
            wrong(f"docker-compose.yml: {name}: waits for the end of {other}, which is restarted")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if not source.startswith((".", "/")) and source not in (compose.get("volumes") or {}):
            wrong(f"docker-compose.yml: {name}: the volume {source} is not declared")
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            wrong(f"docker-compose.yml: {name}: {port} is open to the network")


def check_compose() -> dict:
    text = (ROOT / "docker-compose.yml").read_text()
    compose = yaml.safe_load(text)
    for name, service in compose["services"].items():
        check_service(name, service, compose)
    example = dict(
        line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
    )
    used = {match[1] for match in VARIABLE.finditer(text)}
    for name in used - example.keys():
        wrong(f".env.example: {name} is missing")
    for name in example.keys() - used:
        wrong(f".env.example: {name} is not used")
    for name, value in example.items():
        if value and any(word in name for word in ("PASSWORD", "SECRET", "MASTER_KEY")):
            wrong(f".env.example: {name} has a value")
    return compose


def concord_commands(compose: dict) -> set[str]:
    """Every subcommand of concord that the files run."""
    commands = {service["command"][0] for service in compose["services"].values() if service.get("build")}
    for name, rest in dockerfile_steps():
        if name == "CMD":
            commands.add(yaml.safe_load(rest)[0])
        if name == "HEALTHCHECK":
            commands.add(yaml.safe_load(rest[rest.index("["):])[1])
    return commands


def check_binary(binary: str, compose: dict) -> None:
    for command in sorted(concord_commands(compose)):
        asked = subprocess.run([binary, command, "--help"], capture_output=True, text=True)
        if asked.returncode != 0:
            wrong(f"the containers run `concord {command}`, which is not there: {asked.stderr.strip()}")


def check_with_docker() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        print("docker compose is not installed: its own check is left out")
        return
    values = {match[1]: "x" for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    values["PORT"] = "8080"
    asked = subprocess.run(
        [docker, "compose", "config", "--quiet"], cwd=ROOT, env=os.environ | values, capture_output=True, text=True
    )
    if asked.returncode != 0:
        wrong(f"docker compose config: {asked.stderr.strip()}")


def main() -> int:
    check_dockerfile()
    check_dockerignore()
    compose = check_compose()
    check_with_docker()
    if len(sys.argv) > 1:
        check_binary(sys.argv[1], compose)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print("the container files hold together")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
