"""Envoy, the one door of an environment: clients reach it, it reaches the releases behind it.

    run/envoy.json      started with this: the port, and where to read the two files below
    run/clusters.json   the releases and their processes
    run/routes.json     who gets how much of the traffic

Envoy watches the last two. A change is a new file renamed over the old one, so no connection is
ever closed by it. Touch this file to change how requests are routed, retried or counted.
"""

import contextlib
import errno
import hashlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from .client import connect, until
from .config import Environment, OpsError
from .state import replace

HEADER = "x-release"  # an answer names its release; the pipeline's own door lets it be asked for
PROBE = "x-probe"  # the pipeline's own requests, which the server counts apart
API = "type.googleapis.com/envoy"
FILTER = f"{API}.extensions.filters"
HTTP = f"{FILTER}.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{FILTER}.http.router.v3.Router"
MUTATION = f"{API}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
UPSTREAM = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
SET = "OVERWRITE_IF_EXISTS_OR_ADD"
OTHER_HOST = f"{API}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"

# A prediction changes nothing, so when a process ends in the middle, another may be asked; when
# one is silent for long, another is asked as well, and who answers first has answered.
OTHER = {"name": "other", "typed_config": {"@type": OTHER_HOST}}
RETRY = {"retry_on": "connect-failure,refused-stream,reset,gateway-error", "num_retries": 4}
RETRY |= {"host_selection_retry_max_attempts": 30, "retry_host_predicate": [OTHER]}
RETRY |= {"retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"}}
RETRY |= {"per_try_timeout": "1.5s"}
HEDGE = {"hedge_on_per_try_timeout": True}
# A process that fails is left alone for a second, as long as another one can answer.
EJECT = {"consecutive_5xx": 3, "interval": "1s", "base_ejection_time": "1s"}
# One that hangs says nothing at all. When all do, all are asked: they may only be slow.
SECOND = dict.fromkeys(("timeout", "interval", "no_traffic_interval"), "1s")
READY = {"unhealthy_threshold": 2, "healthy_threshold": 1}
CHECK = SECOND | READY | {"http_health_check": {"path": "/v2/health/ready"}}
PANIC = {"healthy_panic_threshold": {"value": 1}}
MANY = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 10000)
# Idle time is well below the server's keep-alive of 75 s, so that it is never the server that
# closes a connection just when a request arrives on it.
IDLE = {"common_http_protocol_options": {"idle_timeout": "3s"}}
CLUSTER = {
    "@type": f"{API}.config.cluster.v3.Cluster",
    "type": "STATIC",
    "connect_timeout": "1s",
    "lb_policy": "LEAST_REQUEST",
    "circuit_breakers": {"thresholds": [MANY | {"max_retries": 1000}]},
    "outlier_detection": EJECT | {"max_ejection_percent": 50},
    "health_checks": [CHECK],
    "common_lb_config": PANIC,
    "typed_extension_protocol_options": {
        UPSTREAM: {"@type": f"type.googleapis.com/{UPSTREAM}"}
        | {"explicit_http_config": {"http_protocol_options": {}}}
        | IDLE
    },
}


def bootstrap(environment: Environment) -> str:
    """The text of envoy.json: two doors, one for everybody and one for the pipeline's questions."""
    run = str(environment.run)

    def watched(name: str) -> dict[str, Any]:
        source = {"path": f"{run}/{name}", "watched_directory": {"path": run}}
        return {"path_config_source": source, "resource_api_version": "V3"}

    def listener(name: str, host: str, port: int, headers: list[dict[str, Any]]) -> dict[str, Any]:
        early = {"@type": MUTATION, "mutations": headers}
        manager = {
            "@type": HTTP,
            "stat_prefix": "in",
            "rds": {"route_config_name": "routes", "config_source": watched("routes.json")},
            "preserve_external_request_id": True,
            # nginx and many a health check speak 1.0, which knows no host
            "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "all"},
            "request_headers_timeout": "10s",
            "request_timeout": "10s",  # until it has come whole: a trickle may hold up no rollback
            "stream_idle_timeout": "60s",
            "early_header_mutation_extensions": [{"name": "early", "typed_config": early}],
            "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        }
        filters = [{"name": "http", "typed_config": manager}]
        address: dict[str, Any] = {"address": host, "port_value": port}
        address["ipv4_compat"] = host == "::"  # which is every address of either kind
        chains = [{"filters": filters}]
        return {"name": name, "address": {"socket_address": address}, "filter_chains": chains}

    marked = {"header": {"key": PROBE, "value": "1"}, "append_action": SET}
    outside = [{"remove": HEADER}, {"remove": PROBE}]
    listeners = [
        listener("everybody", environment.host, environment.port, outside),
        listener("pipeline", "127.0.0.1", 0, [{"append": marked}]),
    ]
    everything = {
        "node": {"id": environment.name, "cluster": environment.name},
        "admin": {"address": {"pipe": {"path": f"{run}/admin.sock"}}},
        "stats_flush_on_admin": True,
        "dynamic_resources": {"cds_config": watched("clusters.json")},
        "static_resources": {"listeners": listeners},
    }
    return json.dumps(everything, indent=1) + "\n"


def clusters(releases: Mapping[str, Sequence[Path]]) -> str:
    """The text of clusters.json: for each release, the Unix sockets of its processes."""
    found = []
    for name, sockets in releases.items():
        ends = [{"endpoint": {"address": {"pipe": {"path": str(path)}}}} for path in sockets]
        load = {"cluster_name": name, "endpoints": [{"lb_endpoints": ends}]}
        found.append(CLUSTER | {"name": name, "load_assignment": load})
    return _resources(found)


def routes(releases: Sequence[str], weights: Mapping[str, int]) -> str:
    """The text of routes.json: percent of the traffic by release, and the way to ask for one."""

    def to(split: Mapping[str, int]) -> dict[str, Any]:
        parts = [{"name": name, "weight": split[name]} | _named(name) for name in split]
        target = {"weighted_clusters": {"clusters": parts}}
        return {"route": target | {"timeout": "30s", "retry_policy": RETRY, "hedge_policy": HEDGE}}

    found = []
    for name in releases:
        asked = {"name": HEADER, "string_match": {"exact": name}}
        found.append({"match": {"prefix": "/", "headers": [asked]}} | to({name: 100}))
    text = {"inline_string": "no release is deployed here\n"}
    empty = {"direct_response": {"status": 503, "body": text}}
    found.append({"match": {"prefix": "/"}} | (to(weights) if weights else empty))
    table = {
        "@type": f"{API}.config.route.v3.RouteConfiguration",
        "name": "routes",
        "validate_clusters": True,  # else a route to an unknown release is taken and answers 503
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": found}],
    }
    return _resources([table])


def publish(environment: Environment, name: str, text: str) -> None:
    """Put `clusters.json` or `routes.json` in place and wait until Envoy uses it."""
    path = environment.run / name
    if not path.exists() or path.read_text("utf-8") != text:
        replace(path, text)
    version = json.loads(text)["version_info"]
    stat = "cluster_manager.cds" if name == "clusters.json" else "http.in.rds.routes"
    stat += ".version_text"
    if not until(lambda: stats(environment, stat).get(stat) == version, 5):
        cause = f"Envoy of {environment.name} did not take {name}"
        raise OpsError(cause, f"see {environment.logs / 'envoy.log'}")


def free_port(environment: Environment, ours: Callable[..., list[psutil.Process]]) -> None:
    """Refuse a port that none of our processes holds, naming the program and the line to change."""
    with socket.socket(socket.AF_INET6 if ":" in environment.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((environment.host, environment.port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                cause = f"{environment.name} cannot listen on {environment.host}: {error.strerror}"
                raise OpsError(cause, "change its host in ops/environments.toml") from None
            owner, words = _port_owner(environment.port)
            if owner not in {p.pid for p in ours(environment)}:
                cause = f"port {environment.port} of {environment.name} cannot be used"
                remedy = f"change line {environment.port_line} of ops/environments.toml, or stop it"
                raise OpsError(f"{cause}: {error.strerror}; {words}", remedy) from None


def _port_owner(port: int) -> tuple[int, str]:
    """Who listens on a port, as far as this user may know: the pid and a description."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    where = f"{process.info['name']} (pid {process.pid}) in {process.cwd()}"
                    return process.pid, f"{where} has it"
    return -1, "somebody else has it"


def stats(environment: Environment, pattern: str) -> dict[str, Any]:
    """Envoy's counters and texts whose name matches the pattern; empty when it does not answer."""
    try:
        with connect(environment.run / "admin.sock") as client:
            asked = {"format": "json", "filter": pattern.replace(".", r"\.")}
            found = client.get("/stats", params=asked).json()["stats"]
    except (httpx.HTTPError, ValueError, KeyError):
        return {}
    return {item["name"]: item["value"] for item in found if "name" in item}


def pipeline(environment: Environment) -> str:
    """The address of the pipeline's own door, which only this machine reaches."""
    with connect(environment.run / "admin.sock") as client:
        found = client.get("/listeners", params={"format": "json"}).json()["listener_statuses"]
    [address] = [one["local_address"] for one in found if one["name"] == "pipeline"]
    return f"http://127.0.0.1:{address['socket_address']['port_value']}"


def counts(environment: Environment, release: str) -> dict[str, int]:
    """Requests to a release since Envoy started: `requests`, `errors` (5xx, cut off), `active`."""
    prefix = f"cluster.{release}.upstream_rq_"
    found = {k.removeprefix(prefix): v for k, v in stats(environment, prefix).items()}
    errors = int(found.get("5xx", 0)) + int(found.get("rx_reset", 0))
    return {"requests": found.get("total", 0), "errors": errors, "active": found.get("active", 0)}


def drain(environment: Environment, release: str) -> None:
    """Wait until no request is under way to a release that no route names any more."""
    until(lambda: counts(environment, release)["active"] == 0, 30)


def _named(release: str) -> dict[str, Any]:
    """Lets every answer name the release that gave it."""
    added = {"key": HEADER, "value": release}
    header = {"header": added, "append_action": SET}
    return {"response_headers_to_add": [header]}


def _resources(resources: list[dict[str, Any]]) -> str:
    version = hashlib.sha256(json.dumps(resources).encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, "resources": resources}, indent=1) + "\n"
