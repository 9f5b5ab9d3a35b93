/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows the kernel's interfaces by rtnetlink: the MTU of each netdev is its port's MTU, and the
 * carrier of an interface is the carrier of its wire.
 */
#ifndef CX_WATCH_H
#define CX_WATCH_H

int cx_watch_open(void); /* 0 or -errno */
int cx_watch_sync(void); /* asks for the state of all links and takes it in; 0 or -errno */
void cx_watch_close(void);

#endif
