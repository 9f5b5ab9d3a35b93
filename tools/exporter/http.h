/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The little of HTTP that a scrape needs: one request without a body, GET or HEAD of /metrics, on a
 * connection that is closed behind the answer. Pure functions, no input or output.
 */
#ifndef EXPORTER_HTTP_H
#define EXPORTER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_MOST 8192u /* bytes of a request */

struct http_request {
	bool head; /* without the page itself */
	bool by_name; /* Host is a name that others decide about: no address, not "localhost" */
};

/* Reads the start of a connection, n bytes of it: 0, more is needed; 200, the page is asked for;
 * else the status to refuse with. What came back once other than 0 stays so however much follows.
 */
int http_read(const char *text, size_t n, struct http_request *request);

/* The words of a status, and what to tell whoever reads it; never NULL. */
const char *http_status(int status);
const char *http_advice(int status);

/* The head of an answer whose body has so many bytes; returns its length. */
size_t http_answer(char *to, size_t room, int status, const char *type, size_t body);

#endif
