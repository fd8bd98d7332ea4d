"""A real Kubernetes on this machine: one node, everything from Debian and the Go module proxy.

    python -m tests.kubernetes.cluster build     compile Kubernetes (about ten minutes, once)
    python -m tests.kubernetes.cluster up        start it, print the line that names it
    python -m tests.kubernetes.cluster down      stop it and forget everything it held

Debian packages: etcd-server, containerd, containernetworking-plugins, conntrack, iptables and
docker-registry. Needs root, and a kernel that lets root make bridges and control groups. It listens
on a bridge of its own and is for tests only: whoever is on this machine may do anything with it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

VERSION = "v1.34.4"  # the last minor whose kubelet still takes control groups of version 1
FOLDER = Path(os.environ.get("TEST_CLUSTER", "/var/tmp/scaffold-cluster"))
BINARIES, RUN, LOGS = FOLDER / "bin", FOLDER / "run", FOLDER / "log"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
HOST, BRIDGE, PODS, SERVICES = "10.88.0.1", "scaffold0", "10.88.0.0/24", "10.96.0.0/16"
RULES = [("FORWARD", side, BRIDGE, "-j", "ACCEPT") for side in ("-i", "-o")]
ETCD = "http://127.0.0.1:23790"
API = f"https://{HOST}:26443"
REGISTRY = "127.0.0.1:26500"
CONFIG = FOLDER / "kubeconfig"

# Holds the namespaces of a pod, as the image of that name does elsewhere.
PAUSE = """package main
import ("os"; "os/signal"; "syscall")
func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
"""
# Without the right CAP_SYS_RESOURCE no process may be made less likely to be ended for its memory.
CONTAINERD = f"""version = 2
root = "{RUN}/containerd"
state = "/run/scaffold-cluster"
[grpc]
address = "{RUN}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{RUN}/cni"
"""
CNI = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {"type": "bridge", "bridge": BRIDGE, "isDefaultGateway": True, "hairpinMode": True}
        | {"ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "dataDir": f"{RUN}/ip"}}
    ],
}
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": HOST,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "clusterDNS": ["10.96.0.10"],
    "containerRuntimeEndpoint": f"unix://{RUN}/containerd.sock",
    "failSwapOn": False,
    "makeIPTablesUtilChains": False,  # they would outlive it
}
REGISTRY_CONFIG = {
    "version": 0.1,
    "storage": {"filesystem": {"rootdirectory": f"{RUN}/registry"}},
    "http": {"addr": REGISTRY},
}


def build() -> None:
    """Compile Kubernetes from its Go modules, and the program that holds a pod's namespaces."""
    source = FOLDER / "source"
    source.mkdir(parents=True, exist_ok=True)
    BINARIES.mkdir(exist_ok=True)
    module = f"module cluster\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes {VERSION}\n"
    (source / "go.mod").write_text(module)
    fetched = run("go", "mod", "download", "-json", f"k8s.io/kubernetes@{VERSION}", cwd=source)
    # Kubernetes replaces its own libraries by folders; outside its repository they have versions.
    theirs = Path(json.loads(fetched)["GoMod"]).read_text()
    libraries = re.findall(r"(?m)^\t(k8s\.io/\S+) => \./staging", theirs)
    lines = "".join(f"replace {name} => {name} v0{VERSION[2:]}\n" for name in libraries)
    (source / "go.mod").write_text(module + "\ngodebug default=go1.24\n\n" + lines)
    stamp = f"-X k8s.io/component-base/version.gitVersion={VERSION}"
    for name in ("kubectl", *PROGRAMS):
        if not (BINARIES / name).exists():
            flags = ("-mod=mod", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {stamp}")
            goal = ("-o", BINARIES / f"{name}.new", f"k8s.io/kubernetes/cmd/{name}")
            run("go", "build", *flags, *goal, cwd=source)
            (BINARIES / f"{name}.new").rename(BINARIES / name)
    (FOLDER / "pause.go").write_text(PAUSE)
    run("go", "build", "-ldflags=-s -w", "-o", BINARIES / "pause", FOLDER / "pause.go", cgo="0")


def up() -> None:
    """Start every part, in order, and wait until the node takes pods."""
    down()
    for folder in (RUN / "cni", LOGS):
        folder.mkdir(parents=True)
    write("containerd.toml", CONTAINERD)
    for name, content in (("cni/pods.conflist", CNI), ("kubelet.json", KUBELET)):
        write(name, json.dumps(content))
    write("registry.json", json.dumps(REGISTRY_CONFIG))
    write("tokens.csv", 'letmein,admin,admin,"system:masters"\n')
    run("openssl", "genrsa", "-out", RUN / "accounts.key", "2048")
    CONFIG.write_text(json.dumps(kubeconfig(), indent=1))
    network()

    start("docker-registry", "serve", RUN / "registry.json")
    start("containerd", "--config", RUN / "containerd.toml")
    peers = "http://127.0.0.1:23800"
    start(
        *("etcd", f"--data-dir={RUN}/etcd", "--logger=zap", f"--initial-cluster=default={peers}"),
        *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
    )
    start(
        *("kube-apiserver", f"--etcd-servers={ETCD}", f"--bind-address={HOST}"),
        *("--secure-port=26443", f"--cert-dir={RUN}/api", f"--token-auth-file={RUN}/tokens.csv"),
        *("--authorization-mode=RBAC", f"--service-cluster-ip-range={SERVICES}"),
        *("--service-account-issuer=https://cluster", f"--advertise-address={HOST}"),
        *(f"--service-account-key-file={RUN}/accounts.key",),
        *(f"--service-account-signing-key-file={RUN}/accounts.key",),
        "--kubelet-preferred-address-types=InternalIP",
    )
    wait("the API server", lambda: kubectl("get", "--raw=/readyz"))
    known = f"--kubeconfig={CONFIG}"
    key = f"--service-account-private-key-file={RUN}/accounts.key"
    start("kube-controller-manager", known, key, "--leader-elect=false", "--secure-port=0")
    start("kube-scheduler", known, "--leader-elect=false", "--secure-port=0")
    import_pause()
    start(
        *("kubelet", known, f"--config={RUN}/kubelet.json", f"--root-dir={RUN}/kubelet"),
        *("--hostname-override=node", f"--node-ip={HOST}"),
    )
    start(
        *("kube-proxy", known, "--proxy-mode=iptables", f"--cluster-cidr={PODS}"),
        *("--hostname-override=node", "--conntrack-max-per-core=0"),
    )
    wait("the node", lambda: "True" in kubectl("get", "node", "node", "-o", READY))
    wait("service accounts", lambda: kubectl("get", "serviceaccount", "default", "-o", "name"))
    print(f"export KUBECONFIG={CONFIG} TEST_REGISTRY={REGISTRY} PATH={BINARIES}:$PATH")


READY = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'


def down() -> None:
    """Stop every part and every container, and delete what they wrote."""
    pids = [int(path.read_text()) for path in RUN.glob("*.pid")]
    shims = subprocess.run(
        ["pgrep", "-f", f"containerd-shim.*{RUN}/containerd.sock"], capture_output=True, check=False
    )
    pids += map(int, shims.stdout.split())
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            if ours(pid):
                os.kill(pid, number)
        deadline = time.monotonic() + 10
        while any(map(ours, pids)) and time.monotonic() < deadline:
            time.sleep(0.2)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted(mounts, reverse=True):
        if path.startswith((f"{RUN}/", "/run/scaffold-cluster/")):
            subprocess.run(["umount", "--lazy", path], check=False)
    for folder in (RUN, LOGS, Path("/run/scaffold-cluster")):
        shutil.rmtree(folder, ignore_errors=True)
    commands = [["iptables", "-D", *rule] for rule in RULES]
    commands += [[str(BINARIES / "kube-proxy"), "--cleanup"], ["ip", "link", "delete", BRIDGE]]
    wall = "KUBE-FIREWALL"  # which kube-proxy forgets
    commands += [["iptables", "-D", chain, "-j", wall] for chain in ("INPUT", "OUTPUT")]
    commands += [["iptables", flag, wall] for flag in ("-F", "-X")]
    for command in commands:
        subprocess.run(command, check=False, capture_output=True)


def ours(pid: int) -> bool:
    """Whether a process is still there and is one that we started."""
    try:
        return str(FOLDER) in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def network() -> None:
    """A bridge for the pods, with the address on which the parts listen."""
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{HOST}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        Path(f"/proc/sys/net/{name}").write_text("1")
    for rule in RULES:
        run("iptables", "-I", *rule)


def import_pause() -> None:
    """Give the node the image of the program that holds a pod's namespaces."""
    box = FOLDER / "pause"
    shutil.rmtree(box, ignore_errors=True)
    box.mkdir()
    layer, name = box / "layer.tar", "localhost/pause:1"
    run("tar", "-cf", layer, "-C", BINARIES, "pause")
    digest = run("sha256sum", layer).split()[0]
    config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]}}
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    (box / "config.json").write_text(json.dumps(config))
    (box / "manifest.json").write_text(json.dumps(manifest))
    run("tar", "-cf", FOLDER / "pause.tar", "-C", box, ".")
    ctr = ("ctr", "--address", RUN / "containerd.sock", "--namespace", "k8s.io")
    wait("containerd", lambda: run(*ctr, "images", "import", FOLDER / "pause.tar"))


def kubeconfig() -> dict[str, Any]:
    """How to reach it, as somebody who may do everything."""
    cluster = {"server": API, "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": "letmein"}}],
        "contexts": [{"name": "test", "context": {"cluster": "cluster", "user": "admin"}}],
        "current-context": "test",
    }


def start(name: str, *arguments: str | Path) -> None:
    """Start a program that stays, with a log of its own."""
    program = BINARIES / name if (BINARIES / name).exists() else name
    with (LOGS / f"{name}.log").open("w") as log:
        child = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    write(f"{name}.pid", str(child.pid))


def write(name: str, text: str) -> None:
    """Write a file of the cluster."""
    (RUN / name).write_text(text)


def kubectl(*words: str) -> str:
    """Ask the cluster."""
    return run(BINARIES / "kubectl", f"--kubeconfig={CONFIG}", *words)


def wait(what: str, done: Any) -> None:
    """Call a function until it returns something true; CalledProcessError means not yet."""
    deadline = time.monotonic() + 120
    while True:
        try:
            if done():
                return
        except subprocess.CalledProcessError as error:
            told = error.stderr
        else:
            told = "not yet"
        if time.monotonic() > deadline:
            sys.exit(f"error: {what} did not start: {told}\n  try: read the logs in {LOGS}")
        time.sleep(0.3)


def run(*words: str | Path, cwd: Path | None = None, cgo: str = "1") -> str:
    """Run a program that must succeed and return what it printed."""
    known = os.environ | {"CGO_ENABLED": cgo}
    done = subprocess.run(words, cwd=cwd, env=known, capture_output=True, text=True, check=True)
    return done.stdout or "done"


if __name__ == "__main__":
    {"build": build, "up": up, "down": down}[sys.argv[1]]()
