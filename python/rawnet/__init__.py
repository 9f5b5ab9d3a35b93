# SPDX-License-Identifier: BSD-2-Clause
"""Raw packets from rawnetd, for Python: librawnet by ctypes.

    import rawnet

    with rawnet.connect(label="example") as rn, rn.attach("eth0") as at:
        at.add("udp dport 7001")
        queue = at.queues[0]
        while queue.wait():
            with queue.burst() as packets:
                for packet in packets:
                    print(len(packet.data), packet.data[:14].hex())

What fails raises OSError (PermissionError, TimeoutError, ...) with the daemon's sentence; a match with a
wrong word ValueError.

packet.data is a memoryview of packet memory: reading and writing it copies nothing, and a packet that
was changed in place is sent without a copy. A packet is the program's until it is sent, released, or
its `with` ends; its data is void then, and so are slices of it, which must not be kept: copy with
bytes(). After a restart of the daemon packets from before are void too: sending them does nothing.

Threads are those of librawnet(7): a connection is anybody's, a queue and its packets one thread's."""
import collections
import contextlib
import ctypes as c
import os
import time

from . import _abi

__all__ = ["connect", "Connection", "Attachment", "Queue", "Packet", "Match", "NextHop", "version"]
globals().update({n: v for n, v in _abi.CONSTANTS.items() if n.split("_")[0] not in ("MSG", "ALL", "Q", "MATCH",
                                                                                    "COUNTERS", "WAIT")})
_C = _abi.CONSTANTS
_SLICE_MS = 100  # of a wait: a signal that comes just before the call is seen behind it
_library = None

NextHop = collections.namedtuple("NextHop", "smac dmac vlan src via mtu")


def _lib():
    global _library
    if not _library:
        _library = _abi.Library()
    return _library


def _check(rc):
    """A count, or the exception that -errno stands for."""
    if rc < 0:
        raise OSError(-rc, _lib().error().decode(errors="replace") or os.strerror(-rc))
    return rc


def version():
    return _lib().version().decode()


class Match:
    """Which packets, in the words of docs/flows.md: Match("udp dport 7001")."""

    def __init__(self, text):
        self._raw = _abi.Match()
        if isinstance(text, _abi.Match):
            c.pointer(self._raw)[0] = text
        elif _lib().match_parse(text.encode(), self._raw) < 0:
            raise ValueError(_lib().error().decode(errors="replace"))

    def __str__(self):
        text = c.create_string_buffer(_C["MATCH_TEXT"])
        _lib().match_format(self._raw, text, len(text))
        return text.value.decode()

    def __repr__(self):
        return "Match(%r)" % str(self)

    def __eq__(self, other):
        return isinstance(other, Match) and bytes(self._raw) == bytes(other._raw)

    def __hash__(self):
        return hash(bytes(self._raw))


def _match(match):
    return match if isinstance(match, Match) else Match(match)


class _Closing:
    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()


class Connection(_Closing):
    """To a daemon; see connect()."""

    def __init__(self, socket=None, label=None, timeout=None, reconnect=True, on_event=None, on_gone=None,
                 on_back=None):
        def event(_, e):
            on_event(_abi.plain(_abi.Event.from_address(e)))

        def gone(_, why):
            on_gone(_abi.plain(_abi.Disconnect.from_address(why))["text"] if why else None)

        def back(_, ns):
            on_back(ns / 1e9)
        options = _abi.Options(size=c.sizeof(_abi.Options), flags=0 if reconnect else _C["NO_RECONNECT"],
                               socket=os.fsencode(socket) if socket else None,
                               label=label.encode() if label else None,
                               timeout_ms=int(timeout * 1000) if timeout else 0,
                               event=_abi.EVENT(event) if on_event else _abi.EVENT(),
                               gone=_abi.GONE(gone) if on_gone else _abi.GONE(),
                               back=_abi.BACK(back) if on_back else _abi.BACK())
        self._options = options  # the callbacks must live as long
        self._attachments = []
        handle = c.c_void_p()
        _check(_lib().connect(handle, options))
        self._handle = handle

    @property
    def _rn(self):
        if not self._handle:
            raise ValueError("the connection is closed")
        return self._handle

    def close(self):
        if self._handle:
            for at in self._attachments:
                at._void()
            _lib().close(self._handle)
            self._handle = None

    def hello(self):
        """What the daemon says of itself and of this client."""
        return _abi.plain(_lib().hello(self._rn).contents)

    def gap(self):
        """Restarts of the daemon so far, and what they cost."""
        gap = _abi.Gap(size=c.sizeof(_abi.Gap))
        _check(_lib().gap(self._rn, gap))
        return _abi.plain(gap)

    def subscribe(self, mask):
        """EVENT_* that on_event gets."""
        _check(_lib().subscribe(self._rn, mask))

    def attach(self, dev, **options):
        """n_queues, rx_size, tx_size, buf_size, n_bufs, headroom, flags, copies: see rawnet_attach(3)."""
        raw = _abi.AttachOptions(size=c.sizeof(_abi.AttachOptions), **options)
        at = c.c_void_p()
        _check(_lib().attach(self._rn, dev.encode(), raw, at))
        self._attachments.append(Attachment(self, dev, at))
        return self._attachments[-1]

    def delete(self, rule):
        _check(_lib().flow_del(self._rn, rule))

    def confirm(self, rule):
        _check(_lib().flow_confirm(self._rn, rule))

    def move(self, rule, to):
        """To an attachment, by itself or by its id, or to the client with this label."""
        target = _abi.Target()
        if isinstance(to, str):
            target.label = to.encode()
        else:
            target.attachment = to.info["attachment"] if isinstance(to, Attachment) else to
        _check(_lib().flow_move(self._rn, rule, target))

    def route(self, dev, addr, timeout=None):
        """How the kernel would send to this address by this port: rawnet_route(3). Waits `timeout`
        seconds for a MAC that is not known; None: until the kernel gives up."""
        family, raw = _abi.address(addr)
        hop = _abi.NextHop(size=c.sizeof(_abi.NextHop))
        _check(_lib().route(self._rn, dev.encode(), family, raw, -1 if timeout is None else int(timeout * 1000), hop))
        return NextHop(_abi.mac_text(hop.smac), _abi.mac_text(hop.dmac), hop.vlan,
                       _abi.address_text(family, hop.src) if hop.has_src else None,
                       _abi.address_text(hop.via_family, hop.via), hop.mtu)

    def _list(self, message, struct, **only):
        entries = []

        def each(_, entry):
            entries.append(_abi.plain(struct.from_address(entry)))
            return 0
        filter_ = _abi.ListFilter(**only)
        _check(_lib().list_each(self._rn, _C[message], filter_, c.sizeof(struct), _abi.EACH(each), None))
        return entries

    def ports(self):
        ports = self._list("MSG_PORT_LIST", _abi.PortInfo)
        for p in ports:
            p["mac"] = _abi.mac_text(p["mac"])
        return ports

    def clients(self):
        return self._list("MSG_CLIENT_LIST", _abi.ClientInfo)

    def flows(self):
        flows = self._list("MSG_FLOW_LIST", _abi.FlowInfo)
        for f in flows:
            f["match"], f["targets"] = Match(f["match"]), f["targets"][:f["n_targets"]]
        return flows


def connect(**options):
    """socket: path, by default $RAWNET_SOCKET or /run/rawnet/rawnetd.sock; label: what the client calls
    itself; timeout: seconds for each request; reconnect=False: a lost daemon is final.
    on_event(dict), on_gone(reason or None), on_back(seconds): called in the library's thread."""
    return Connection(**options)


class Attachment(_Closing):
    """A share of one port."""

    def __init__(self, connection, dev, handle):
        self.connection, self.dev, self._handle = connection, dev, handle
        self.queues = []
        while _lib().queue(handle, len(self.queues)):
            self.queues.append(Queue(self, _lib().queue(handle, len(self.queues))))

    @property
    def _at(self):
        if not self._handle:
            raise ValueError("the attachment is detached")
        return self._handle

    def _void(self):
        self._handle = None
        for q in self.queues:
            q._end()

    def close(self):
        """Detaches."""
        if self._handle:
            handle = self._handle
            self._void()
            self.connection._attachments.remove(self)
            _check(_lib().detach(handle))

    @property
    def info(self):
        """What the daemon granted; its "mac" as a text."""
        info = _abi.plain(_lib().attachment_info(self._at).contents)
        info["mac"] = _abi.mac_text(info["mac"])
        return info

    def copies(self, copies):
        _check(_lib().copies(self._at, copies))

    def add(self, match, flags=0, confirm=0, gap=0, attachment=0, label=None):
        """A flow rule for this attachment, or another one: its id. See rawnet_flow_add(3)."""
        options = _abi.FlowOptions(size=c.sizeof(_abi.FlowOptions), flags=flags, confirm=confirm, gap=gap,
                                   attachment=attachment, label=label.encode() if label else None)
        rule = c.c_uint64()
        _check(_lib().flow_add(self._at, _match(match)._raw, options, rule))
        return rule.value

    def delete(self, rule):
        self.connection.delete(rule)

    def counters(self, queue=None):
        """By name; of one queue or of all."""
        values = (c.c_uint64 * _C["COUNTERS_SPACE"])()
        _check(_lib().counters(self._at, _C["ALL_QUEUES"] if queue is None else queue, values))
        counters = {}
        for i, v in enumerate(values):
            info = _lib().queue_counter_info(i)
            if not info:
                break
            counters[info.contents.name.decode()] = v
        return counters


class Packet:
    """A frame in packet memory. flags: RX_* as received; set TX_* before sending (they are 0 when a
    received packet is sent, unless set_tx() was called)."""
    __slots__ = ("queue", "_data", "_view", "length", "flags", "vlan_tci", "hash", "rule", "stamp", "_tx")

    def __init__(self, queue, raw):
        self.queue, self._data, self._view, self._tx = queue, raw.data, None, None
        self.length, self.flags, self.vlan_tci, self.stamp = raw.len, raw.flags, raw.vlan_tci, raw.stamp
        self.hash, self.rule = raw.u.rx.hash, raw.u.rx.rule

    @property
    def data(self):
        if self._data is None:
            raise ValueError("the packet was sent or released, or the daemon restarted")
        if self._view is None:
            self._view = memoryview((c.c_uint8 * self.length).from_address(self._data)).cast("B")
        return self._view

    def resize(self, length):
        """More or fewer bytes, from the same beginning."""
        if not 0 <= length <= self.queue.max_frame:
            raise ValueError("0 to %d bytes are possible" % self.queue.max_frame)
        self._drop_view()
        self.length = length

    def set_tx(self, flags, l2_len=14, l3_len=0, l4_len=0, tso_mss=0, vlan_tci=0):
        """TX_*: what the device or the daemon shall fill in."""
        self._tx = (flags, l2_len, l3_len, l4_len, tso_mss, vlan_tci)

    def release(self):
        """The buffer is free again."""
        if self._data is not None:
            _lib().buf_put(self.queue._q, self._data)
            self._void()

    def _drop_view(self):
        if self._view is not None:
            view, self._view = self._view, None
            with contextlib.suppress(BufferError):  # somebody keeps a slice
                view.release()

    def _void(self):
        self._drop_view()
        self._data = None
        self.queue._out.pop(id(self), None)

    def _raw(self, raw):
        raw.data, raw.len = self._data, self.length
        flags, l2, l3, l4, mss, vlan = self._tx or (0, 0, 0, 0, 0, 0)
        raw.flags, raw.vlan_tci = flags, vlan
        raw.u.tx.l2_len, raw.u.tx.l3_len, raw.u.tx.l4_len, raw.u.tx.tso_mss = l2, l3, l4, mss


class Queue:
    """One receive and one transmit ring, used by one thread at a time."""

    def __init__(self, attachment, queue):
        self.attachment, self._raw, self._out = attachment, queue, {}
        self._mem = queue.contents.mem

    @property
    def _q(self):
        if self._raw is None:
            raise ValueError("the attachment is detached")
        return self._raw

    @property
    def max_frame(self):
        return self._q.contents.max_frame

    def _end(self):
        self._forget()
        self._raw = None

    def _forget(self):
        for p in list(self._out.values()):
            p._void()

    def _sync(self):
        """Packets of memory that is no longer in use are void."""
        q = self._q
        switched = q.contents.changed and _lib().queue_switch(q)
        if switched or q.contents.mem != self._mem:
            self._mem = q.contents.mem
            self._forget()

    def wait(self, timeout=None, tx=False):
        """Sleeps until there are packets (or, with tx, room to send), or new memory after a restart:
        True, or False after `timeout` seconds. Signal handlers run meanwhile."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _SLICE_MS if end is None else max(0, int((end - time.monotonic()) * 1000 + 0.999))
            rc = _lib().wait(self._q, _C["WAIT_TX"] if tx else _C["WAIT_RX"], min(left, _SLICE_MS))
            self._sync()
            # EINTR: the handler has run, and did not raise. One for a signal just before the call runs after it.
            if rc != -4 and (rc or (end is not None and left <= _SLICE_MS)):
                return bool(_check(rc))

    def fileno(self):
        """To poll for reading, by select or asyncio: arm() first, disarm() afterwards."""
        return _lib().queue_fd(self._q)

    def arm(self, tx=False):
        """True if there is something already: do not block."""
        return bool(_check(_lib().arm(self._q, _C["WAIT_TX"] if tx else _C["WAIT_RX"])))

    def disarm(self):
        _lib().disarm(self._q)

    def receive(self, most=32):
        """Up to `most` packets that are there, without waiting; each is to be sent or released."""
        raw = (_abi.Packet * most)()
        self._sync()
        n = _lib().rx_burst(self._q, raw, most)
        self._sync()
        packets = [Packet(self, raw[i]) for i in range(n)]
        self._out.update((id(p), p) for p in packets)
        return packets

    @contextlib.contextmanager
    def burst(self, most=32):
        """receive() for a `with`: what was not sent is released at its end."""
        packets = self.receive(most)
        try:
            yield packets
        finally:
            for p in packets:
                p.release()

    def new(self, data=b"", length=None):
        """A packet to send: `data`, or `length` bytes to write into .data; None: no buffer is free."""
        size = len(data) if length is None else length
        if size > self.max_frame:
            raise ValueError("%d bytes are more than %d, the longest frame" % (size, self.max_frame))
        self._sync()
        buf = _lib().buf_get(self._q)
        if not buf:
            return None
        p = Packet(self, _abi.Packet(data=buf, len=size))
        self._out[id(p)] = p
        if data:
            p.data[:len(data)] = data
        return p

    def send(self, packets):
        """Sends packets: how many were taken, in order. The others are still the program's."""
        self._sync()
        packets = [p for p in packets if p._data is not None]
        raw = (_abi.Packet * len(packets))()
        for p, r in zip(packets, raw):
            if p.queue is not self:
                raise ValueError("a packet of another queue: its memory is not this one's")
            p._raw(r)
        n = _lib().tx_burst(self._q, raw, len(packets))
        for p in packets[:n]:
            p._void()
        self._sync()
        return n
