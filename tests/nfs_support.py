"""An NFS 4 server in user space (NFS-Ganesha, as Debian packages it), in a network namespace of the tests' own."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.image_support import eventually
from tests.patience import PATIENCE_S
from zonebox.drivers.nspawn_network import NETNS
from zonebox.drivers.nspawn_relay import enter

PACKAGES: Mapping[str, str] = {"ganesha.nfsd": "nfs-ganesha", "/usr/share/doc/nfs-ganesha-vfs": "nfs-ganesha-vfs"}
"""Program, or path of a package without one -> Debian package."""
PORT = 2049
# Read-only and squashing would be the server's to say; here it is the guest that must not write.
_CONFIGURATION = """
NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSv4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = "%(folder)s/recovery"; }
EXPORT {
    Export_Id = 1; Path = "%(export)s"; Pseudo = "%(name)s"; SecType = sys;
    Access_Type = RW; Squash = No_Root_Squash;
    FSAL { Name = VFS; }
}
"""


@asynccontextmanager
async def nfs_export(folder: Path, namespace: str, name: str, files: Mapping[str, str]) -> AsyncIterator[None]:
    """Serve files under a name until the end of the context.

    Args:
        folder: for configuration and files; its file system must know file handles, as ext4 does.
        namespace: where the server listens, on every address.
        name: of the export, such as /rows.
        files: name -> content, readable by everybody.
    """
    export, configuration = folder / "export", folder / "ganesha.conf"
    for path in (export, folder / "recovery"):
        path.mkdir(parents=True)
    for file, text in files.items():
        (export / file).write_text(text)
    configuration.write_text(_CONFIGURATION % {"folder": folder, "export": export, "name": name})
    log = folder / "ganesha.log"
    command = ["ganesha.nfsd", "-F", "-f", configuration, "-L", "STDOUT", "-p", folder / "pid", "-N", "EVENT"]
    server = _start(["ip", "netns", "exec", namespace, *command], log)
    try:
        await eventually(lambda: server.poll() is not None or _listens(namespace), "the NFS server listens", PATIENCE_S)
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        yield
    finally:
        server.kill()
        server.wait(PATIENCE_S)


def _start(command: list[str | Path], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _listens(namespace: str) -> bool:
    seen: list[bool] = []

    def look() -> None:
        enter(NETNS / namespace)
        with socket.socket() as one:
            seen.append(one.connect_ex(("127.0.0.1", PORT)) == 0)

    # setns moves this thread only, and it ends here.
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return seen == [True]
