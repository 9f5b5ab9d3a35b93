# SPDX-License-Identifier: BSD-2-Clause
"""Who listens at the other end of the cable to what a hostile client gets onto the wire."""
import threading
import time

from house import BAD
from frames import Wire  # house.py knows where

MARK = b"hostile!"
GROUP = bytes.fromhex("0180c20000")  # and sixteen last bytes: of bridges and links


def is_mirror(house, f):
    """Is this what "udp dport 7002" lets a client send? Not a fragment, no tag but one of priority."""
    if f[12:14] == b"\x81\x00" and f[14] & 0x0f == 0 and f[15] == 0:
        f = f[:12] + f[16:]
    ports = 14 + 4 * (f[14] & 0x0f)
    return f[6:12] == house.hmac and f[12:14] == b"\x08\x00" and f[14] >> 4 == 4 and f[14] & 0x0f >= 5 and \
        not int.from_bytes(f[20:22], "big") & 0x3fff and f[23] == 17 and f[26:30] == bytes((10, 77, 0, 1)) and \
        f[ports:ports + 2] == BAD.to_bytes(2, "big") and not (f[:5] == GROUP and f[5] < 16)


class Listener:
    """Counts the honest frames on v1, and keeps all others that come from the hostile client."""

    def __init__(self, house):
        self.wire, self.honest, self.forged = Wire(house.peer, "v1"), 0, []
        self.house, self.over = house, False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        got = []
        while got or not self.over:
            got = self.wire.read(1000)  # there may be no end of them
            for f in got:
                if MARK in f and is_mirror(self.house, f):
                    self.honest += 1
                elif MARK in f:
                    self.forged.append(f)
            if not got:
                time.sleep(0.001)

    def stop(self):
        """When what was under way has come, and all of it was looked at."""
        time.sleep(0.5)
        self.over = True
        self.thread.join()
        self.wire.close()
        assert not self.forged, "%d forged frames, the first: %s" % (len(self.forged), self.forged[0].hex())
