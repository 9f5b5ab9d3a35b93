/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service manager's store of descriptors: what is put there outlives this process and comes
 * back to the next one (sd_notify(3), FDSTORE; systemd.service(5), FileDescriptorStoreMax). With
 * no manager that keeps any, everything here does nothing. Control thread only.
 *
 * Names are ours: "rn." and what it is. The same name is put once at a time.
 */
#ifndef RN_STORE_H
#define RN_STORE_H

#include <stdbool.h>

#include "err.h"

#define RN_STORE_NAME 96

/* Takes over the descriptors that the manager gave back. Called once, before anything else opens
 * descriptors. enabled: `store` of the configuration. */
int rn_store_open(bool enabled, struct rn_err *err);
/* Is there a manager to give descriptors to? */
bool rn_store_works(void);
/* Is this the name of a descriptor that was put there? */
bool rn_store_is_name(const char *name);
/* The manager keeps a duplicate. */
void rn_store_put(const char *name, int fd);
void rn_store_drop(const char *name);
/* One that came back, the caller's from now on and still kept by the manager; -1: none. */
int rn_store_take(const char *name);
/* Names that came back and were not taken yet, one after the other; at 0: the first; NULL: no more.
 */
const char *rn_store_next(unsigned *at);
/* What nobody took is closed and dropped. */
void rn_store_end_taking(void);

#endif
