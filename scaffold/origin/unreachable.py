"""Why git could not fetch a template: its own line, or ssh's, and what helps against that.

git ends most failures with a line that says nothing ("Could not read from remote repository"); the
one that does came before it, from ssh, curl or the other side.
"""

import re

from scaffold.ground.errors import ScaffoldError
from scaffold.ground.git import GitError

_ACCESS = "check your access to it, or use another address of it: --template URL"
# What is said, by the most certain first, and what helps.
_CAUSES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED",
     "ask the host's owner whether its key was changed; if so, `ssh -T {host}` says how to remove"
     " the old one"),
    ("Host key verification failed|No .* host key is known",
     "connect once by hand and compare the key: `ssh -T {host}`; in CI put it into known_hosts"),
    ("UNPROTECTED PRIVATE KEY FILE|Bad owner or permissions",
     "take the file's rights away from others: `chmod 600 FILE`"),
    (r"Permission denied \(|Too many authentication failures|no mutual signature",
     "`ssh -T {host}` says which keys it accepts; load yours (`ssh-add`), or use the https address:"
     " --template URL"),
    (r"Could not resolve proxy|(response|code) 407|Proxy CONNECT|Received HTTP code \d+ from proxy",
     "correct the proxy: `git config --get-all http.proxy`, HTTPS_PROXY, NO_PROXY"),
    ("certificate|SSL|TLS|CAfile|gnutls",
     "let git know your company's certificates (`git config --global http.sslCAInfo FILE`), or"
     " correct the clock"),
    ("could not read (Username|Password)|Authentication failed|Access denied|HTTP Basic|error: 401",
     "git asks nobody here: give it a credential helper (`git help credentials`), or use the ssh"
     " address: --template URL"),
    ("error: 403", _ACCESS),
    ("Repository not found|not found|could not be found|TF401019|does not exist"
     "|does not appear to be a git repository",
     "check the address and whether you may read it; if it moved, give --template URL"),
    ("Could not resolve host", "check the host's name and the network; a VPN may be needed"),
    ("Connection (refused|timed out|reset|closed)|Failed to connect|Couldn't connect"
     "|No route to host|Network is unreachable|Operation timed out",
     "check the network, a VPN or proxy; a closed port 22 asks for the https address:"
     " --template URL"),
    ("cannot run ssh|ssh: not found", "install ssh (`apt install openssh-client`), or use https"),
    ("remote helper|is not a git command|(transport|protocol) +(not allowed|is not)",
     "give an address that begins with https://, ssh:// or git@"),
)  # fmt: skip
_QUOTED = re.compile(r"'[^']*'|\w+://\S+")  # an address may hold any of those words
_EMPTY = re.compile(
    r"\s*$|Cloning into|fatal: Could not read from remote|Please make sure"
    r"|and the repository exists|Warning: |warning: |@@@|hint: "
    r"|fatal: (the remote end hung up|early EOF|unable to fork)"
)


def explained(url: str, address: str, error: GitError) -> ScaffoldError:
    """Return the error to show for a template that git could not fetch.

    Args:
        url: what the template is called.
        address: what git was given.
        error: what came of it.

    """
    lines = [line for line in error.stderr.splitlines() if not _EMPTY.match(line)]
    said = lines or error.stderr.strip().splitlines() or ["no reason given"]
    remedy = "check the address, the network and your access; if it moved, give --template URL"
    for pattern, helps in _CAUSES:
        matching = [
            line for line in said if re.search(pattern, _QUOTED.sub("", line), re.IGNORECASE)
        ]
        if matching:
            said, remedy = matching, helps.replace("{host}", _host(address))
            break
    return ScaffoldError(f"the template {url} cannot be reached: {_plain(said[0])}", remedy)


def _host(address: str) -> str:
    """Return what ssh calls the host of an address, with user and port."""
    if found := re.match(r"ssh://([^/:]+)(?::(\d+))?/", address):
        return f"-p {found[2]} {found[1]}" if found[2] else found[1]
    found = re.match(r"([^/:]+):(?!//)", address)
    return found[1] if found else "HOST"


def _plain(line: str) -> str:
    """Return a line without what could be somebody's password, and without a frame around it."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1", line).strip(" @")
