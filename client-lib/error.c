/* SPDX-License-Identifier: BSD-2-Clause */
/* The sentence of a thread's last error, and option structs of other versions. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static _Thread_local char sentence[320];

int rn_fail(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	return err;
}

const char *rawnet_error(void)
{
	return sentence;
}

int rn_options_copy(void *to, size_t to_size, const void *from, const char *what)
{
	const uint8_t *bytes = from;
	uint32_t size = 0;

	memset(to, 0, to_size);
	if (!from)
		return 0;
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size))
		return rn_fail(-EINVAL, "%s: size is %u: set it to sizeof the struct", what, size);
	for (size_t i = to_size; i < size; i++)
		if (bytes[i])
			return rn_fail(-E2BIG, "%s: byte %zu asks for what this library lacks",
				       what, i);
	memcpy(to, from, size < to_size ? size : to_size);
	return 0;
}
