/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the launcher told the library, in the environment (README.md lists it).
 * Read once by the library's constructor; constant afterwards.
 */
#ifndef CX_CONFIG_H
#define CX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CX_MAX_DEVS 4

enum cx_wire_kind {
	CX_WIRE_LOOP,
	CX_WIRE_SINK,
	CX_WIRE_GEN,
	CX_WIRE_TEST,
	CX_WIRE_END
};

/* One class of hardware; personality.c has the table. */
struct cx_personality {
	const char *name;
	uint16_t part_id;
	uint16_t min_inline; /* bytes of header that a SEND must carry inline */
	bool empw, legacy_mpw;
	bool vlan_insert;
	bool multi_path; /* flow copies: dont_trap, two destinations for one match */
	uint32_t comp_formats, comp_max; /* CQE compression; 0: none */
	uint32_t max_tso;
	uint32_t log_ft_size;
};

struct cx_config {
	char name[16]; /* mlx5_0 */
	const struct cx_personality *pers;
	enum cx_wire_kind wire;
	char wire_path[108], wire_end[16];
	uint8_t mac[6];
	char netdev[16]; /* name that sysfs gives the port; empty: none */
	uint32_t mtu;
	uint32_t log_ft_size; /* overrides the personality's */
	/* generator */
	uint32_t gen_flows, gen_len, gen_vlan;
	uint64_t gen_rate, gen_count; /* packets a second (0: as fast as buffers allow), in all */
	bool gen_tcp, gen_ip6;
};

enum cx_referee_mode {
	CX_REFEREE_REPORT, /* print, and a failing exit status at the end */
	CX_REFEREE_ABORT, /* print and abort at once: for a debugger */
	CX_REFEREE_COUNT /* print nothing, count: for tests that break rules on purpose */
};

struct cx_settings {
	int devs;
	struct cx_config dev[CX_MAX_DEVS];
	bool write_path; /* answer ENOTTY to every ioctl: libibverbs uses write() */
	bool static_uar; /* as kernels without dynamic UARs */
	bool leaks; /* objects left at close are a violation */
	enum cx_referee_mode referee;
	const char *report, *control, *faults;
};

extern struct cx_settings cx_settings;

/* 0, or -EINVAL with a sentence in err. spec: "key=value,key=value". */
int cx_config_device(struct cx_config *c, int index, const char *spec, char *err, size_t size);
int cx_config_env(struct cx_settings *s, char *err, size_t size);
const struct cx_personality *cx_personality_find(const char *name);
const char *cx_personality_names(void);

#endif
