"""What `make test` says before it starts: how long it will take here, and what it will skip."""

from __future__ import annotations

import os
import shutil

MINUTES = 40  # of two processors, measured with everything installed
NEEDS = {
    "docker": "container images, and the pipelines of GitHub and GitLab",
    "npm": "the pipelines of GitLab",
    "mmdebstrap": "container images, where no base image is at hand",
    "kubectl": "what Kubernetes is given",
    "nginx": "a proxy in front",
    "haproxy": "another proxy in front",
    "ab": "what old clients speak",
    "chromium": "the gate's report in a browser",
}


def main() -> None:
    """Print both."""
    cores = os.cpu_count() or 1
    minutes = max(15, MINUTES // cores)
    print(
        f"The whole suite: about {minutes} minutes with {cores} processors; make quick takes two."
    )
    for program, what in NEEDS.items():
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            print(f"  no {program} here: skips {what}")


if __name__ == "__main__":
    main()
