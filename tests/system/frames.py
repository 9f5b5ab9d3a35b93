# SPDX-License-Identifier: BSD-2-Clause
"""Frames byte by byte, and a raw socket that shows tags where they stood on the wire."""
import socket
import struct

from rawnetd import ones_sum, until

PACKET_AUXDATA, VLAN_VALID = 8, 0x10
SOL_PACKET = 263


class Wire:
    """Frames as they are, from and to a device."""

    def __init__(self, ns, dev):
        self.s = ns.packet(dev)
        self.s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.s.setblocking(False)

    def send(self, *frames):
        for f in frames:
            self.s.send(f)

    def read(self, most=1 << 30):
        """All that has come in, or so many, tags put back; what this host sends itself is not shown."""
        got = []
        while len(got) < most:
            try:
                data, control, _, address = self.s.recvmsg(70000, 100)
            except BlockingIOError:
                return got
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, aux in control:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, tci, tpid = struct.unpack_from("=I12xHH", aux)
                    if status & VLAN_VALID:
                        data = data[:12] + struct.pack(">HH", tpid or 0x8100, tci) + data[12:]
            got.append(data)
        return got

    def expect(self, *frames):
        """These come in, among others, in any order."""
        missing = list(frames)

        def all_there():
            for f in self.read():
                if f in missing:
                    missing.remove(f)
            return not missing
        until("%d of %d frames came in" % (len(frames), len(frames)), all_there)

    def close(self):
        self.s.close()


def tag(vid, pcp=0):
    return struct.pack(">HH", 0x8100, pcp << 13 | vid)


def ip4(smac, dmac, src, dst, proto, payload, flags=0x4000, ident=7, vlan=b""):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, flags, 64, proto, 0) + \
        socket.inet_aton(src) + socket.inet_aton(dst)
    head = head[:10] + struct.pack(">H", ones_sum(head) ^ 0xffff) + head[12:]
    return dmac + smac + vlan + b"\x08\x00" + head + payload


def ip6(smac, dmac, src, dst, proto, payload, vlan=b""):
    return dmac + smac + vlan + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(payload), proto, 64) + \
        socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + payload


def pseudo(src, dst, proto, length):
    if ":" in src:
        return socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + \
            struct.pack(">II", length, proto)
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack(">HH", proto, length)


def udp(src, dst, sport, dport, payload, check=None):
    """Header and payload; check: another checksum than the right one."""
    head = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    if check is None:
        check = ones_sum(pseudo(src, dst, 17, 8 + len(payload)) + head + payload) ^ 0xffff or 0xffff
    return head[:6] + struct.pack(">H", check) + payload


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b"", check=None, window=65535):
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50, flags,
                       window, 0, 0)
    if check is None:
        check = ones_sum(pseudo(src, dst, 6, 20 + len(payload)) + head + payload) ^ 0xffff
    return head[:16] + struct.pack(">H", check) + head[18:] + payload
