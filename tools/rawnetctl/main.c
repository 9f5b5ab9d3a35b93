/* SPDX-License-Identifier: BSD-2-Clause */
/* rawnetctl: options, usage, and commands one by one or from a file. */
#include "ctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- usage ---- */

static void print_argument(FILE *out, const struct ctl_arg *arg)
{
	fprintf(out, arg->needed ? " " : " [");
	fprintf(out, "%s", arg->name);
	if (arg->kind == CTL_VALUE)
		fprintf(out, " %s", arg->value);
	fprintf(out, arg->needed ? "" : "]");
}

static void print_usage(FILE *out)
{
	fputs("Usage: rawnetctl [-jsf] [-S SOCKET] OBJECT [VERB] [KEY VALUE]...\n"
	      "       rawnetctl [-jsf] [-S SOCKET] -b FILE\n\n"
	      "  -j  JSON, one object on one line for each command\n"
	      "  -s  statistics and details\n"
	      "  -S  the daemon's socket (default: $RAWNET_SOCKET, or " RAWNET_DEFAULT_SOCKET ")\n"
	      "  -b  commands from a file (- is standard input), one a line, # starts a comment\n"
	      "  -f  go on after a command that failed\n"
	      "  -V  print the version and exit\n\n",
	      out);
	for (const struct ctl_object *o = ctl_objects; o->name; o++) {
		for (const struct ctl_verb *v = o->verbs; v->run; v++) {
			fprintf(out, "  %s%s%s", o->name, v->name ? " " : "",
				v->name ? v->name : "");
			for (const struct ctl_arg *arg = v->args; arg->name; arg++)
				print_argument(out, arg);
			fprintf(out, "\n      %s\n", v->help);
		}
	}
	fputs("\nCLIENT is an id or a label, MATCH says which packets: udp dport 7001.\n"
	      "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no daemon. See rawnetctl(8).\n",
	      out);
}

/* ---- batch ---- */

/* Cuts a line into words, in place; how many. A word that starts with # ends them. */
static unsigned split(char *line, char **words, unsigned most)
{
	unsigned n = 0;

	for (char *p = line; n < most; n++) {
		while (isspace((unsigned char)*p))
			*p++ = '\0';
		if (!*p || *p == '#')
			break;
		words[n] = p;
		while (*p && !isspace((unsigned char)*p))
			p++;
	}
	return n;
}

static int run_lines(struct ctl *c, const char *name, FILE *in)
{
	char *words[CTL_WORDS + 1], *line = NULL;
	size_t room = 0;
	int rc = CTL_OK, r;
	unsigned n;

	for (unsigned number = 1; getline(&line, &room, in) >= 0; number++) {
		snprintf(c->where, sizeof(c->where), "%.250s:%u: ", name, number);
		c->what[0] = '\0';
		n = split(line, words, CTL_WORDS + 1);
		r = CTL_OK;
		if (n > CTL_WORDS)
			r = ctl_usage(c, "more than %u words", CTL_WORDS);
		else if (n)
			r = ctl_run(c, words, n);
		if (!rc)
			rc = r;
		if (r && !c->go_on)
			break;
	}
	free(line);
	return rc;
}

static int run_batch(struct ctl *c, const char *path)
{
	FILE *in = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
	int rc;

	if (!in)
		return ctl_usage(c, "%s: %s", path, strerror(errno));
	rc = run_lines(c, in == stdin ? "stdin" : path, in);
	if (in != stdin)
		fclose(in);
	return rc;
}

/* ---- the program ---- */

static int run_words(struct ctl *c, char **words, unsigned n)
{
	if (n > CTL_WORDS)
		return ctl_usage(c, "more than %u words", CTL_WORDS);
	if (!strcmp(words[0], "complete"))
		return ctl_complete(c, words + 1, n - 1);
	return ctl_run(c, words, n);
}

int main(int argc, char **argv)
{
	struct ctl c = {.json = false};
	const char *batch = NULL;
	int o, rc;

	while ((o = getopt(argc, argv, "+jsfS:b:hV")) != -1) {
		switch (o) {
		case 'j': c.json = true; break;
		case 's': c.stats = true; break;
		case 'f': c.go_on = true; break;
		case 'S': c.socket = optarg; break;
		case 'b': batch = optarg; break;
		case 'h': print_usage(stdout); return CTL_OK;
		case 'V': printf("rawnetctl %s\n", rawnet_version()); return CTL_OK;
		default: return CTL_USAGE;
		}
	}
	if (batch ? optind < argc : optind == argc) {
		print_usage(stderr);
		return CTL_USAGE;
	}
	rc = batch ? run_batch(&c, batch) : run_words(&c, argv + optind, (unsigned)(argc - optind));
	ctl_close(&c);
	if (fflush(stdout) || ferror(stdout)) {
		c.where[0] = c.what[0] = '\0';
		return ctl_refuse(&c, "cannot write: %s", strerror(errno));
	}
	return rc;
}
