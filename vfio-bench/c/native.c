// What the Java benchmarks are compared with on this machine's own kernel and memory.
//
// native OPERATION ITERATIONS MILLISECONDS: runs the operation for so long, so often, and prints the nanoseconds
// that one took, a line for each iteration.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// As many as the Java side does in one call.
#define BATCH 1024
#define REGISTER_OFFSET 16

static void die(const char *what)
{
	perror(what);
	exit(1);
}

#include "idle.h"

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static volatile uint32_t *registers;
static volatile uint32_t sink;

static void map_registers(void)
{
	int fd = memfd_create("registers", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 4096))
		die("memfd");
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	registers = memory;
}

static int read32(void)
{
	uint32_t sum = 0;
	for (int i = 0; i < BATCH; i++)
		sum += registers[REGISTER_OFFSET / 4];
	sink = sum;
	return BATCH;
}

static int write32(void)
{
	for (int i = 0; i < BATCH; i++)
		registers[REGISTER_OFFSET / 4] = i;
	return BATCH;
}

static int file;

static void open_file(void)
{
	file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		die("/etc/passwd");
}

static int round_trip(void)
{
	int left;
	if (ioctl(file, FIONREAD, &left))
		die("ioctl");
	sink = left;
	return 1;
}

// Two threads that wake each other: each waits with epoll, takes the count and signals the other.
struct side {
	int event;
	int epoll;
};

static struct side here, there;

static void make_side(struct side *side)
{
	struct epoll_event wanted = { .events = EPOLLIN };
	side->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	side->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (side->event < 0 || side->epoll < 0 || epoll_ctl(side->epoll, EPOLL_CTL_ADD, side->event, &wanted))
		die("eventfd or epoll");
}

static void await_event(struct side *side)
{
	struct epoll_event got[8];
	uint64_t count;
	if (epoll_wait(side->epoll, got, 8, -1) != 1 || read(side->event, &count, sizeof(count)) != sizeof(count))
		die("wait");
}

static void signal_event(struct side *side)
{
	uint64_t one = 1;
	if (write(side->event, &one, sizeof(one)) != sizeof(one))
		die("write");
}

static _Noreturn void *answer(void *unused)
{
	(void)unused;
	for (;;) {
		await_event(&there);
		signal_event(&here);
	}
}

static void start_answering(void)
{
	pthread_t thread;
	make_side(&here);
	make_side(&there);
	if (pthread_create(&thread, NULL, answer, NULL))
		die("pthread_create");
}

static int wake(void)
{
	signal_event(&there);
	await_event(&here);
	return 1;
}

static const struct {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
} operations[] = {
	{ "read32", map_registers, read32 },
	{ "write32", map_registers, write32 },
	{ "ioctl", open_file, round_trip },
	{ "eventfd", start_answering, wake },
};

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: native OPERATION ITERATIONS MILLISECONDS\n");
		return 2;
	}
	start_idle_thread();
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].name, argv[1]))
			continue;
		operations[i].prepare();
		for (int left = atoi(argv[2]); left > 0; left--) {
			uint64_t done = 0, start = now(), end = start + atoi(argv[3]) * 1000000ull, time;
			do {
				for (int calls = 0; calls < 64; calls++)
					done += operations[i].run();
			} while ((time = now()) < end);
			printf("%.4f\n", (double)(time - start) / done);
		}
		return 0;
	}
	fprintf(stderr, "native: no operation %s\n", argv[1]);
	return 2;
}
