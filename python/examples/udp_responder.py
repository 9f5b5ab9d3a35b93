#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Answers UDP datagrams with themselves, without copying them:

    udp_responder.py DEV MATCH...
    udp_responder.py eth0 udp dport 7001
"""
import sys

import rawnet


def turn_around(frame):
    """Sender and receiver change places, which leaves the checksums as they are. False: not UDP."""
    ip = 14
    if frame[12:14] == b"\x08\x00" and frame[ip + 9] == 17:
        addr, size, udp = ip + 12, 4, ip + (frame[ip] & 15) * 4
    elif frame[12:14] == b"\x86\xdd" and frame[ip + 6] == 17:
        addr, size, udp = ip + 8, 16, ip + 40
    else:
        return False
    if len(frame) < udp + 8:
        return False
    for at, n in ((0, 6), (addr, size), (udp, 2)):
        frame[at:at + n], frame[at + n:at + 2 * n] = bytes(frame[at + n:at + 2 * n]), bytes(frame[at:at + n])
    return True


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    answered = 0
    with rawnet.connect(label="responder") as rn, rn.attach(sys.argv[1]) as at:
        rule = at.add(" ".join(sys.argv[2:]))
        print("rule %d on %s" % (rule, at.dev), flush=True)
        queue = at.queues[0]  # one for each poller of the port; this example serves one
        try:
            while queue.wait():
                with queue.burst() as packets:
                    answers = [p for p in packets if turn_around(p.data)]
                    answered += queue.send(answers)
        except KeyboardInterrupt:
            print("%d answered" % answered)


if __name__ == "__main__":
    main()
