/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that goes on after its VM was restored where nothing is known of it: a call tells it
 * that it is detached; it attaches again, and its calls work.  restored NAME [FILE]
 * With FILE it keeps its old attachment until that file is there: others have attached since.
 */
#include <stdio.h>
#include <unistd.h>
#include <elisa/elisa.h>

static struct elisa *elisa;

static struct elisa_attachment *attach(const char *name)
{
	struct elisa_attachment *made;

	while (elisa_attach(elisa, "restored", 0, NULL, 0, &made) < 0)
		usleep(100000);
	printf("%s: slot %u\n", name, elisa_attachment_slot(made));
	return made;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "guest";
	struct elisa_attachment *attachment;
	struct elisa_result result;
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (elisa_open(NULL, &elisa) < 0) {
		fprintf(stderr, "%s: %s\n", name, elisa_error(NULL));
		return 1;
	}
	attachment = attach(name);
	printf("%s: attached\n", name);
	do {
		usleep(20000);
		result = elisa_call(attachment, 0, 0, 0, 0, 0, 0);
	} while (!result.error);
	printf("%s: lost: %s\n", name, elisa_call_strerror(result.error));
	while (argc > 2 && access(argv[2], F_OK))
		usleep(100000);
	error = elisa_detach(attachment);
	if (error < 0) {
		printf("%s: detach: %s\n", name, elisa_error(elisa));
		return 1;
	}
	attachment = attach(name);
	printf("%s: attached again\n", name);
	for (int i = 0; i < 50; i++) {
		result = elisa_call(attachment, 0, 0, 0, 0, 0, 0);
		if (result.error) {
			printf("%s: call %d: %s\n", name, i, elisa_call_strerror(result.error));
			return 1;
		}
		usleep(20000);
	}
	printf("%s: calls work\n", name);
	elisa_detach(attachment);
	return elisa_close(elisa) < 0;
}
