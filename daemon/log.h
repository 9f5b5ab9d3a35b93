/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: lines with a level, to stderr; with journald's level prefix when stderr is the journal.
 * Lines about an interface or a client go to the journal with fields that say which (rawnetd(8)).
 * Control thread, waker and set-up code; pollers never log, they count.
 * A call site that repeats is limited: RN_LOG_BURST lines in RN_LOG_WINDOW_S, then one line that
 * says how many were left out.
 */
#ifndef RN_LOG_H
#define RN_LOG_H

#include <stddef.h>
#include <stdint.h>

#define RN_LOG_BURST	20u
#define RN_LOG_WINDOW_S 5u

enum rn_log_level {
	RN_LOG_ERROR,
	RN_LOG_WARN,
	RN_LOG_INFO,
	RN_LOG_DEBUG,
	RN_LOG_LEVELS
};

struct rn_log_site {
	uint64_t window; /* seconds, start of the current one */
	uint32_t lines, left_out;
};

/* What a line is about. */
struct rn_log_about {
	const char *dev; /* NULL: none */
	const char *label; /* of the client */
	uint32_t client; /* 0: none */
	uint32_t uid;
	int32_t pid;
};
#define RN_ABOUT_DEV(name) (&(const struct rn_log_about) {.dev = (name)})

void rn_log_set_level(enum rn_log_level level);
/* From now on, whatever level is set. */
void rn_log_everything(void);
/* "error", "warning", "info", "debug": the level, or -1. */
int rn_log_level_named(const char *name);
void rn_log_at(struct rn_log_site *site, enum rn_log_level level, const struct rn_log_about *about,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define RN_LOG(level, about, ...)                             \
	do {                                                  \
		static struct rn_log_site site_;              \
		rn_log_at(&site_, level, about, __VA_ARGS__); \
	} while (0)
#define rn_error(...)		   RN_LOG(RN_LOG_ERROR, NULL, __VA_ARGS__)
#define rn_warn(...)		   RN_LOG(RN_LOG_WARN, NULL, __VA_ARGS__)
#define rn_info(...)		   RN_LOG(RN_LOG_INFO, NULL, __VA_ARGS__)
#define rn_debug(...)		   RN_LOG(RN_LOG_DEBUG, NULL, __VA_ARGS__)
#define rn_error_about(about, ...) RN_LOG(RN_LOG_ERROR, about, __VA_ARGS__)
#define rn_warn_about(about, ...)  RN_LOG(RN_LOG_WARN, about, __VA_ARGS__)
#define rn_info_about(about, ...)  RN_LOG(RN_LOG_INFO, about, __VA_ARGS__)

#endif
