# SPDX-License-Identifier: BSD-2-Clause
"""What librawnet looks like to ctypes: structures, constants and functions of <rawnet/client.h>, under
their C names without the prefix. tests/system/python_test compares every size, offset and value with
what the C compiler says. Private: programs use the package."""
import ctypes as c
import os
import socket

_KINDS = {"u8": c.c_uint8, "u16": c.c_uint16, "u32": c.c_uint32, "u64": c.c_uint64, "i32": c.c_int32,
          "int": c.c_int, "ptr": c.c_void_p, "str": c.c_char_p}


def _kind(text):
    name, _, count = text.partition("*")
    kind = STRUCTS.get(name) or _KINDS.get(name) or c.c_char
    return kind * int(count) if count else kind


STRUCTS = {}


def _struct(name, fields):
    """name: as in C; fields: "kind name, ..." with kind*N for arrays."""
    pairs = [field.split() for field in fields.split(",")]
    STRUCTS[name] = type(name, (c.Structure,), {"_fields_": [(n, _kind(k)) for k, n in pairs]})
    return STRUCTS[name]


EVENT = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
GONE = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
BACK = c.CFUNCTYPE(None, c.c_void_p, c.c_uint64)
EACH = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p)
_KINDS.update(event_f=EVENT, gone_f=GONE, back_f=BACK)

Hdr = _struct("rawnet_hdr", "u32 size, u16 type, u16 reserved, u32 id, i32 error")
Options = _struct("rawnet_options", "u32 size, u32 flags, str socket, str label, str program, u32 timeout_ms, "
                  "u32 reserved, event_f event, gone_f gone, back_f back, ptr arg")
Hello = _struct("rawnet_rep_hello", "rawnet_hdr hdr, u32 version, u32 client, u64 instance, u32 uid, u32 gid, "
                "u32 admin, u32 abi, char*32 daemon")
Gap = _struct("rawnet_gap_info", "u32 size, u32 restarts, u64 last_ns, u64 total_ns, u64 tx_lost, u64 rx_lost")
AttachOptions = _struct("rawnet_attach_options", "u32 size, u32 n_queues, u32 rx_size, u32 tx_size, u32 buf_size, "
                        "u32 n_bufs, u32 headroom, u32 flags, u32 copies")
Attached = _struct("rawnet_rep_attach", "rawnet_hdr hdr, u32 attachment, u32 n_queues, u32 ifindex, u32 mtu, "
                   "u8*6 mac, u8 link_up, u8 reserved, char*32 backend, u64 rings_size, u64 packets_size, "
                   "u64 counters_size, u32 rx_offloads, u32 tx_offloads")
Ring = _struct("rawnet_ring", "ptr ctl, ptr slots, ptr stamps, u32 mask, u32 client, u32 taken, u32 daemon")
Queue = _struct("rawnet_queue", "rawnet_ring rx, rawnet_ring tx, ptr mem, u64 mem_size, u32 buf_size, u32 headroom, "
                "u32 max_frame, u32 busy, u32 changed, u32 index, int wake_fd, u32 n_free, ptr free_bufs, ptr at")


class _PacketTx(c.Structure):
    _fields_ = [("l2_len", c.c_uint8), ("l3_len", c.c_uint8), ("l4_len", c.c_uint8), ("tso_mss", c.c_uint16)]


class _PacketRx(c.Structure):
    _fields_ = [("hash", c.c_uint32), ("rule", c.c_uint16)]


class _PacketU(c.Union):
    _fields_ = [("rx", _PacketRx), ("tx", _PacketTx)]


_KINDS["packet_u"] = _PacketU
Packet = _struct("rawnet_packet", "ptr data, u32 len, u16 flags, u16 vlan_tci, packet_u u, u64 stamp")
Match = _struct("rawnet_match", "u32 size, u16 fields, u8 model, u8 family, u8*6 dmac, u8*6 dmac_mask, u8*6 smac, "
                "u8*6 smac_mask, u16 vlan, u16 ethertype, u8*16 dst, u8*16 src, u8 dst_len, u8 src_len, u8 proto, "
                "u8 reserved, u16 sport, u16 dport, u8*4 addr4, u8*16 addr6")
FlowOptions = _struct("rawnet_flow_options", "u32 size, u32 flags, u32 confirm, u32 gap, u32 attachment, "
                      "u32 reserved, str label")
Target = _struct("rawnet_target", "u32 attachment, char*32 label")
NextHop = _struct("rawnet_nexthop", "u32 size, u32 mtu, u16 vlan, u8*6 smac, u8*6 dmac, u8 via_family, u8 has_src, "
                  "u8*16 src, u8*16 via")
CounterInfo = _struct("rawnet_counter_info", "str name, str unit, str help")
Event = _struct("rawnet_event", "rawnet_hdr hdr, u32 kind, u32 lost, u64 id, u32 attachment, u32 uid, char*16 dev, "
                "char*32 what, char*128 text")
Disconnect = _struct("rawnet_disconnect", "rawnet_hdr hdr, u32 reason, u32 reserved, char*240 text")
ListFilter = _struct("rawnet_req_list", "rawnet_hdr hdr, u64 cursor, u64 id, u32 attachment, u32 client, char*16 dev")
FlowInfo = _struct("rawnet_flow_info", "u64 rule, char*16 dev, rawnet_match match, u32 uid, u32 flags, u32 gap, "
                   "u32 confirm_left, u32 shape, u32 index, u32 n_targets, u32*8 targets, char*32 label")
PortInfo = _struct("rawnet_port_info", "char*16 dev, char*32 backend, u32 ifindex, u32 mtu, u8*6 mac, u8 link_up, "
                   "u8 draining, u32 present, u32 n_pollers, u32 n_hw_queues, u32 n_attachments, u32 n_rules, "
                   "u32 n_shapes, u32 max_rules, char*96 mode")
ClientInfo = _struct("rawnet_client_info", "u32 client, u32 uid, u32 gid, u32 pid, char*32 label, char*32 program, "
                     "char*64 socket, u32 n_attachments, u32 n_rules, u64 memory, u64 connected_ns")

CONSTANTS = dict(
    NO_RECONNECT=2, ATTACH_STAMP=1, ATTACH_HUGE=2, COPY_BROADCAST=1, COPY_MULTICAST=2,
    FLOW_PERSIST=1, FLOW_GROUP=2, FLOW_FORCE=4, FLOW_CHECK=8, FLOW_STATIC=16, FLOW_WAITING=32, FLOW_TENTATIVE=64,
    GAP_KERNEL=0, GAP_DROP=1, EVENT_LINK=1, EVENT_FLOW=2, EVENT_CLIENT=4, EVENT_PORT=8,
    RX_ERROR=1, RX_RULE=2, RX_VLAN=4, RX_HASH=8, RX_L3_OK=16, RX_L4_OK=32, RX_L3_BAD=64, RX_L4_BAD=128, RX_COPY=256,
    RX_STAMP=512, TX_IP_CSUM=2, TX_L4_CSUM=4, TX_TSO=8, TX_VLAN=16, WAIT_RX=1, WAIT_TX=2,
    ALL_QUEUES=0xffffffff, COUNTERS_SPACE=40, MATCH_TEXT=320, Q_COUNT=27,
    MSG_FLOW_LIST=10, MSG_PORT_LIST=11, MSG_CLIENT_LIST=12)

_P = c.POINTER
FUNCTIONS = {
    "connect": (c.c_int, _P(c.c_void_p), _P(Options)), "close": (None, c.c_void_p), "error": (c.c_char_p,),
    "hello": (_P(Hello), c.c_void_p), "gap": (c.c_int, c.c_void_p, _P(Gap)),
    "subscribe": (c.c_int, c.c_void_p, c.c_uint32),
    "attach": (c.c_int, c.c_void_p, c.c_char_p, _P(AttachOptions), _P(c.c_void_p)), "detach": (c.c_int, c.c_void_p),
    "copies": (c.c_int, c.c_void_p, c.c_uint32), "attachment_info": (_P(Attached), c.c_void_p),
    "counters": (c.c_int, c.c_void_p, c.c_uint32, _P(c.c_uint64)), "queue": (_P(Queue), c.c_void_p, c.c_uint32),
    "queue_switch": (c.c_int, _P(Queue)), "rx_burst": (c.c_uint32, _P(Queue), _P(Packet), c.c_uint32),
    "tx_burst": (c.c_uint32, _P(Queue), _P(Packet), c.c_uint32), "buf_get": (c.c_void_p, _P(Queue)),
    "buf_put": (None, _P(Queue), c.c_void_p), "kick": (None, _P(Queue)),
    "wait": (c.c_int, _P(Queue), c.c_uint32, c.c_int), "arm": (c.c_int, _P(Queue), c.c_uint32),
    "disarm": (None, _P(Queue)), "queue_fd": (c.c_int, _P(Queue)),
    "match_parse": (c.c_int, c.c_char_p, _P(Match)), "match_format": (c.c_int, _P(Match), c.c_char_p, c.c_size_t),
    "flow_add": (c.c_int, c.c_void_p, _P(Match), _P(FlowOptions), _P(c.c_uint64)),
    "flow_del": (c.c_int, c.c_void_p, c.c_uint64), "flow_confirm": (c.c_int, c.c_void_p, c.c_uint64),
    "flow_move": (c.c_int, c.c_void_p, c.c_uint64, _P(Target)),
    "list_each": (c.c_int, c.c_void_p, c.c_int, _P(ListFilter), c.c_size_t, EACH, c.c_void_p),
    "route": (c.c_int, c.c_void_p, c.c_char_p, c.c_uint, c.c_char_p, c.c_int, _P(NextHop)),
    "queue_counter_info": (_P(CounterInfo), c.c_uint), "reason_text": (c.c_char_p, c.c_uint),
    "version": (c.c_char_p,),
}


class Library:
    """The functions, as attributes; loaded when it is first needed."""

    def __init__(self):
        lib = c.CDLL(os.environ.get("RAWNET_LIBRARY", "librawnet.so.0"))
        for name, (result, *arguments) in FUNCTIONS.items():
            f = getattr(lib, "rawnet_" + name)
            f.restype, f.argtypes = result, arguments
            setattr(self, name, f)


def plain(value):
    """A structure, or what a member of one comes to in Python: texts, numbers, bytes."""
    if isinstance(value, Match):
        return Match.from_buffer_copy(value)  # a list reuses its memory
    if isinstance(value, c.Structure):
        return {n: plain(getattr(value, n)) for n, *_ in value._fields_ if n not in ("hdr", "reserved", "size")}
    if isinstance(value, c.Array):
        return bytes(value) if value._type_ is c.c_uint8 else list(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def mac_text(raw):
    return ":".join("%02x" % b for b in raw)


def address(text):
    """Family (4, 6) and bytes."""
    family = 6 if ":" in text else 4
    return family, socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, text)


def address_text(family, raw):
    return socket.inet_ntop(socket.AF_INET, bytes(raw)[:4]) if family == 4 else \
        socket.inet_ntop(socket.AF_INET6, bytes(raw))
