/* SPDX-License-Identifier: BSD-2-Clause */
/* Which counters are drops, for the probes: those that say so in their name, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probes.h"

#define NAME(NAME, name, unit, help) #name,
static const char *const queue_names[] = {RAWNET_QUEUE_COUNTERS(NAME)};
static const char *const port_names[] = {RAWNET_PORT_COUNTERS(NAME)};
#undef NAME

static void knows_drops(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RAWNET_Q_COUNT; i++)
		if (rn_is_queue_drop(i) != (strstr(queue_names[i], "_drop") != NULL))
			fail_msg("%s", queue_names[i]);
	for (unsigned i = 0; i < RAWNET_P_COUNT; i++)
		if (rn_is_port_drop(i) != (strstr(port_names[i], "_drop") != NULL))
			fail_msg("%s", port_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(knows_drops)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
