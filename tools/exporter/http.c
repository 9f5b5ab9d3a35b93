/* SPDX-License-Identifier: BSD-2-Clause */
/* See http.h. By RFC 9112, with nothing allowed that a server may refuse: no folded lines, no line
 * that ends without CR, no space before a colon. */
#include "http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define METHOD_MOST 16u

static bool is_token(const char *s, size_t n)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < n; i++) {
		const char c = s[i];

		if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
		    (!c || !strchr(marks, c)))
			return false;
	}
	return n > 0;
}

/* The end of the head, behind its empty line; 0: not yet; -1: a byte that no head has. */
static long head_end(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)s[i];

		if (c == '\n') {
			if (!i || s[i - 1] != '\r')
				return -1;
			if (i >= 3 && s[i - 2] == '\n')
				return (long)i + 1;
		} else if (i && s[i - 1] == '\r') {
			return -1;
		} else if (c != '\r' && c != '\t' && (c < ' ' || c == 127)) {
			return -1;
		}
	}
	return 0;
}

static bool starts(const char *s, size_t n, const char *word)
{
	return n >= strlen(word) && !memcmp(s, word, strlen(word));
}

static int read_target(const char *s, size_t n)
{
	static const char page[] = "/metrics";
	const size_t len = sizeof(page) - 1;

	if (!n || (s[0] != '/' && s[0] != '*'))
		return 400;
	return starts(s, n, page) && (n == len || s[len] == '?') ? 200 : 404;
}

/* METHOD SP TARGET SP VERSION */
static int read_line(const char *s, size_t n, bool *head)
{
	const char *sp = memchr(s, ' ', n), *sp2;
	const size_t method = sp ? (size_t)(sp - s) : 0;

	if (!sp || !is_token(s, method) || method > METHOD_MOST)
		return 400;
	sp++;
	n -= method + 1;
	sp2 = memchr(sp, ' ', n);
	if (!sp2 || n - (size_t)(sp2 - sp) != sizeof(" HTTP/1.1") - 1 ||
	    !starts(sp2, n - (size_t)(sp2 - sp), " HTTP/"))
		return 400;
	if (!starts(sp2, sizeof(" HTTP/1.") - 1, " HTTP/1.") || (sp2[8] != '0' && sp2[8] != '1'))
		return 505;
	*head = method == 4 && starts(s, method, "HEAD");
	if (!*head && !(method == 3 && starts(s, method, "GET")))
		return 405;
	return read_target(sp, (size_t)(sp2 - sp));
}

/* An address is what it says, and "localhost" is no other host. */
static bool is_name(const char *s, size_t n)
{
	static const char local[] = "localhost";
	size_t end = 0, digits = 0;

	if (n && s[0] == '[')
		return !memchr(s, ']', n);
	for (; end < n && s[end] != ':' && s[end] != ' ' && s[end] != '\t'; end++)
		digits += (s[end] >= '0' && s[end] <= '9') || s[end] == '.';
	return digits != end && (end != sizeof(local) - 1 || strncasecmp(s, local, end) != 0);
}

/* A field may say anything but that a body follows. */
static int read_field(const char *s, size_t n, unsigned *hosts, bool *by_name)
{
	const char *colon = memchr(s, ':', n);
	const size_t name = colon ? (size_t)(colon - s) : 0;
	size_t i = name + 1;

	if (!colon || !is_token(s, name))
		return 400;
	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	if (name == 17 && !strncasecmp(s, "transfer-encoding", name))
		return 413;
	if (name == 14 && !strncasecmp(s, "content-length", name))
		return n - i == 1 && s[i] == '0' ? 200 : 413;
	if (name != 4 || strncasecmp(s, "host", name) != 0)
		return 200;
	*by_name = is_name(s + i, n - i);
	return (*hosts)++ ? 400 : 200; /* RFC 9112, 3.2 */
}

int http_read(const char *text, size_t n, struct http_request *request)
{
	const long end = head_end(text, n < HTTP_MOST ? n : HTTP_MOST);
	const char *at = text, *cr;
	unsigned hosts = 0;
	int status, line;

	*request = (struct http_request) {0};
	if (end < 0)
		return 400;
	if (!end)
		return n < HTTP_MOST ? 0 : 431;
	cr = memchr(at, '\r', (size_t)end);
	status = read_line(at, (size_t)(cr - at), &request->head);
	for (at = cr + 2; at[0] != '\r'; at = cr + 2) {
		cr = memchr(at, '\r', (size_t)(text + end - at));
		line = read_field(at, (size_t)(cr - at), &hosts, &request->by_name);
		if (line != 200)
			return line;
	}
	return status;
}

/* ---- answers ---- */

static const struct {
	int status;
	const char *text, *advice;
} statuses[] = {
	{200, "OK", ""},
	{400, "Bad Request", "This is not a request of HTTP/1.0 or HTTP/1.1."},
	{404, "Not Found", "Metrics are at /metrics."},
	{405, "Method Not Allowed", "Ask by GET or HEAD."},
	{408, "Request Timeout", "The request came too slowly."},
	{413, "Content Too Large", "A request has no body here."},
	{421, "Misdirected Request", "Ask by address or as localhost."},
	{431, "Request Header Fields Too Large", "A request has at most 8192 bytes here."},
	{505, "HTTP Version Not Supported", "HTTP/1.0 and HTTP/1.1 are spoken here."},
	{500, "Internal Server Error", "Out of memory."},
};

const char *http_status(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "Error";
}

const char *http_advice(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].advice;
	return "";
}

size_t http_answer(char *to, size_t room, int status, const char *type, size_t body)
{
	int n = snprintf(to, room,
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			 "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
			 status, http_status(status), type, body,
			 status == 405 ? "Allow: GET, HEAD\r\n" : "");

	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}
