/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program of one port: loading, its rule tables, attaching. Nothing is pinned, so no bpffs
 * is needed and all of it goes away with the process. Control thread only.
 */
#ifndef RN_XDP_PROGRAM_H
#define RN_XDP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "../backend.h"

/* What is busy may be let go of in a moment: half a second in all. */
#define RN_XDP_TRIES	50
#define RN_XDP_PAUSE_NS 10000000

struct rn_xdp_program;

/* frags: for frames of several buffers; -EOPNOTSUPP where the kernel cannot. longest: frames above
 * it are dropped and counted where a rule takes them. */
int rn_xdp_program_load(const char *dev, bool frags, uint32_t longest, const uint8_t mac[6],
			struct rn_xdp_program **program, struct rn_err *err);
/* Detaches first. */
void rn_xdp_program_free(struct rn_xdp_program *program);

/* By a link held by a descriptor, which the kernel drops when the process ends, however it ends.
 * Retries for half a second, so that a daemon that was killed has time to go. */
int rn_xdp_program_attach(struct rn_xdp_program *program, const char *dev, uint32_t ifindex,
			  bool native, struct rn_err *err);
void rn_xdp_program_detach(struct rn_xdp_program *program);

int rn_xdp_program_link(const struct rn_xdp_program *program); /* -1: not attached */
/* Takes the last daemon's link over, if it is this interface's; its program stays until replace. */
int rn_xdp_program_adopt(struct rn_xdp_program *program, int link, uint32_t ifindex);
int rn_xdp_program_replace(struct rn_xdp_program *program, struct rn_err *err);

/* Receive queue `queue` goes to this AF_XDP socket; fd -1: to none. 0 or -errno. */
int rn_xdp_program_socket(struct rn_xdp_program *program, uint32_t queue, int fd);

/* As struct rn_steer_ops. */
int rn_xdp_program_shapes(struct rn_xdp_program *program, const struct rn_shape *const *order,
			  unsigned n, struct rn_err *err);
int rn_xdp_program_add(struct rn_xdp_program *program, const struct rn_rule *rule,
		       struct rn_err *err);
void rn_xdp_program_del(struct rn_xdp_program *program, const struct rn_rule *rule);
void rn_xdp_program_set_mac(struct rn_xdp_program *program, const uint8_t mac[6]);

/* What marks a verdict of this program (shared.h). */
uint32_t rn_xdp_program_cookie(const struct rn_xdp_program *program);
/* Adds what the program counted, on all CPUs, to a port's counters. */
void rn_xdp_program_counters(const struct rn_xdp_program *program,
			     uint64_t v[RAWNET_COUNTERS_SPACE]);
/* The loaded program, for BPF_PROG_TEST_RUN. */
int rn_xdp_program_fd(const struct rn_xdp_program *program);

#endif
