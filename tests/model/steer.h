/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow tables: rules by priority, mask and value (steer.c). Lock held.
 */
#ifndef CX_STEER_H
#define CX_STEER_H

#include "frame.h"
#include "model.h"

#define CX_PRIO_MCAST 32 /* fs_core.c: BYPASS has 16 x {dont_trap, trap}, and one for multicast */
#define CX_PRIOS      33

/* Tables beside those: the sniffer's, and the leftovers behind the kernel's own. */
#define CX_TABLE_SNIFFER CX_PRIOS
#define CX_TABLE_MC	 (CX_PRIOS + 1)
#define CX_TABLE_ALL	 (CX_PRIOS + 2)
#define CX_TABLES	 (CX_PRIOS + 3)

enum cx_flow_action {
	CX_FLOW_FORWARD,
	CX_FLOW_DROP,
	CX_FLOW_MISS, /* on to the kernel */
	CX_FLOW_ALLOW /* egress: let pass */
};

struct cx_rule {
	uint32_t table;
	bool copy; /* dont_trap */
	struct cx_fte mask, value;
	enum cx_flow_action action;
	struct cx_tir *tir;
	bool has_tag;
	uint32_t tag;
};

struct cx_fte_entry; /* one match and its destinations */

struct cx_steer *cx_steer_new(uint32_t log_size, bool multi_path);
void cx_steer_free(struct cx_steer *s);
/* 0 and the entry, or -EEXIST, -ENOSPC, -EOPNOTSUPP, -ENOMEM as the kernel would. */
int cx_steer_add(struct cx_steer *s, const struct cx_rule *r, struct cx_fte_entry **e);
void cx_steer_del(struct cx_steer *s, struct cx_fte_entry *e, struct cx_tir *tir);

/* What becomes of a received frame. from: the sending context of a looped frame, or NULL.
 * wait: if it goes to a queue without buffers, or nowhere, do nothing and return false. */
bool cx_steer_receive(struct cx_dev *dev, const struct cx_frame *f, struct cx_ctx *from, bool wait);
/* Egress tables: false if a rule drops it. metadata: of its request's Ethernet segment. */
bool cx_steer_transmit(struct cx_dev *dev, const struct cx_frame *f, uint32_t sqn,
		       uint32_t metadata);
void cx_steer_sniff(struct cx_dev *dev, const struct cx_frame *f);
bool cx_steer_idle(const struct cx_steer *s); /* no rule at all */

#endif
