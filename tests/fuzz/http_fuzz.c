/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the exporter, at once and piece by piece: an answer, once there is one, stays the
 * same however much follows, and each has words. Only what has the page's name gets the page.
 *
 * Seen to fail without its defence, by the seeds alone: a request without end (HTTP_MOST).
 */
#include <string.h>

#include "fuzz.h"
#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of its exact size: a byte beyond is seen. */
	char *text = malloc(size ? size : 1);
	int whole, part = 0;
	struct http_request request, request_part = {0};

	must(text);
	memcpy(text, data, size);
	whole = http_read(text, size, &request);
	for (size_t n = 0; n <= size && !part; n += n < 64 ? 1 : 13)
		part = http_read(text, n, &request_part);
	if (part)
		must(part == whole && request_part.head == request.head &&
		     request_part.by_name == request.by_name);
	if (whole) {
		must(strcmp(http_status(whole), "Error") != 0);
		must(whole == 200 || http_advice(whole)[0]);
	}
	if (whole == 200)
		must(!memcmp(text, request.head ? "HEAD /metrics" : "GET /metrics",
			     request.head ? 13 : 12));
	if (!whole)
		must(size < HTTP_MOST);
	free(text);
	return 0;
}
