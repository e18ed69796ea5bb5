"""A listening socket in another network namespace: a build without a network still reaches the archive proxy, and nothing else.

A socket belongs to the namespace in which it was made, whoever accepts on it. So a thread of ours goes into the namespace,
makes the socket, and ends; connections then come to us without a route, a bridge or a forwarder (network_namespaces(7)).
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from pathlib import Path

from ropewalk.errors import HostError

_CLONE_NEWNET = 0x40000000
"""linux/sched.h; Python has `os.setns` from 3.12 on only."""
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
"""SIOCGIFFLAGS and SIOCSIFFLAGS (netdevice(7))."""
_UP = 0x1
_REQUEST = struct.Struct("16sH22x")
"""struct ifreq: a name, then flags."""


def listening(port: int, namespace: Path | None = None) -> socket.socket:
    """Listen on 127.0.0.1.

    Args:
        port: The port; 0 takes a free one.
        namespace: A network namespace (``/run/netns/X``, ``/proc/PID/ns/net``); its loopback device is brought up. None is
            our own.

    Returns:
        The socket; the caller closes it.

    Raises:
        HostError: The namespace is not there, or we may not enter it.
    """
    if namespace is None:
        return _listen(port)
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            _enter(namespace)
            _bring_up("lo")
            made.append(_listen(port))
        except OSError as error:
            failed.append(error)

    # The thread stays in the namespace, and ends with it: no other work of ours may ever run there.
    thread = threading.Thread(target=enter, name="doorway")
    thread.start()
    thread.join()
    if failed:
        message = f"cannot be entered: {failed[0].strerror}"
        raise HostError(message, where=str(namespace), hint="run as root, with a namespace made by `ip netns add`")
    return made[0]


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _enter(namespace: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _bring_up(device: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked, _GET_FLAGS, _REQUEST.pack(device.encode(), 0))
        flags = _REQUEST.unpack(answer)[1] | _UP
        fcntl.ioctl(asked, _SET_FLAGS, _REQUEST.pack(device.encode(), flags))
