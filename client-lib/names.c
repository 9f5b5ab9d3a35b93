/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and texts: counters, reasons, the version of the library. Pure, any thread. */
#include "internal.h"

#define INFO(NAME, name, unit, help) {#name, #unit, help},

static const struct rawnet_counter_info queue_counters[] = {RAWNET_QUEUE_COUNTERS(INFO)};
static const struct rawnet_counter_info port_counters[] = {RAWNET_PORT_COUNTERS(INFO)};

_Static_assert(sizeof(queue_counters) / sizeof(queue_counters[0]) == RAWNET_Q_COUNT, "every one");
_Static_assert(sizeof(port_counters) / sizeof(port_counters[0]) == RAWNET_P_COUNT, "every one");

const struct rawnet_counter_info *rawnet_queue_counter_info(unsigned counter)
{
	return counter < RAWNET_Q_COUNT ? &queue_counters[counter] : NULL;
}

const struct rawnet_counter_info *rawnet_port_counter_info(unsigned counter)
{
	return counter < RAWNET_P_COUNT ? &port_counters[counter] : NULL;
}

static const char *const reasons[] = {
	[RAWNET_BYE_SHUTDOWN] = "the daemon stops",
	[RAWNET_BYE_ADMIN] = "an administrator ended the client",
	[RAWNET_BYE_PROTOCOL] = "a message broke the protocol",
	[RAWNET_BYE_RING] = "a ring index or a chain of slots was wrong",
	[RAWNET_BYE_MEMORY] = "shared memory was tampered with",
	[RAWNET_BYE_POLICY] = "the policy no longer allows the client",
	[RAWNET_BYE_SLOW] = "the client does not read its socket",
	[RAWNET_BYE_DEVICE] = "the device of the port failed",
	[RAWNET_BYE_BUSY] = "the daemon has no memory for the client now",
};
_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == RAWNET_BYE_COUNT, "a text for each reason");

const char *rawnet_reason_text(unsigned reason)
{
	return reason < RAWNET_BYE_COUNT ? reasons[reason] : "unknown reason";
}

const char *rawnet_version(void)
{
	return RAWNET_VERSION;
}
