/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over files, where there is no fuzzer: replay FOLDER... Each input stands in
 * memory of exactly its size. Fails if there was no file.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data;

	must(file && !fstat(fileno(file), &st));
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	must(data && fread(data, 1, (size_t)st.st_size, file) == (size_t)st.st_size);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		must(dir);
		while ((entry = readdir(dir))) {
			char path[4096];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			run_file(path);
			n++;
		}
		closedir(dir);
	}
	printf("%u inputs\n", n);
	return n == 0;
}
