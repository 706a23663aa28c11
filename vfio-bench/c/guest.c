// Instructions that a driver in C takes on Linux in the VM, where a nanosecond of the guest is an instruction
// (vm/run --count-instructions). Prints a line "NAME<tab>INSTRUCTIONS" for each operation.
//
// guest EDU NVME PORT PEER: the PCI addresses of the devices, bound to vfio-pci, each in a group of its own; the last two
// are network cards (e1000e) with a wire between them.
//
// The drivers are the Java ones' siblings: the same rings, the same commands, the same checks, one doorbell for all that
// was submitted and reaped since the last.
#define _GNU_SOURCE
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200
#define PCI_COMMAND 4
#define MEMORY_AND_BUS_MASTER 6

static void die(const char *what)
{
	perror(what);
	exit(1);
}

#include "idle.h"

static inline uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

// What two looks at the clock take with nothing between them.
static uint64_t empty_pair(void)
{
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t start = now(), took = now() - start;
		if (took < least)
			least = took;
	}
	return least;
}

static uint64_t empty;

// The least of all rounds: what comes between (a timer's interrupt) can only add.
static void count(double *least, uint64_t took, int operations)
{
	double each = (double)(took - empty) / operations;
	if (each < *least)
		*least = each;
}

// ---- VFIO

static int container;

struct device {
	int fd;
	volatile uint8_t *bar0;
};

static struct device open_device(const char *address)
{
	char path[PATH_MAX], target[PATH_MAX];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die(path);
	target[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	int group = open(path, O_RDWR);
	if (group < 0)
		die(path);
	bool first = !container;
	if (first && (container = open("/dev/vfio/vfio", O_RDWR)) < 0)
		die("/dev/vfio/vfio");
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die("SET_CONTAINER");
	if (first && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("SET_IOMMU");
	struct device device = { .fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address) };
	if (device.fd < 0)
		die("GET_DEVICE_FD");
	struct vfio_region_info config = { .argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	if (ioctl(device.fd, VFIO_DEVICE_GET_REGION_INFO, &config) || ioctl(device.fd, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("GET_REGION_INFO");
	uint16_t command = MEMORY_AND_BUS_MASTER;
	if (pwrite(device.fd, &command, sizeof(command), config.offset + PCI_COMMAND) != sizeof(command))
		die("command register");
	void *mapped = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device.fd, bar.offset);
	if (mapped == MAP_FAILED)
		die("BAR 0");
	device.bar0 = mapped;
	return device;
}

static uint64_t next_iova = 1 << 20;

static void *allocate(size_t bytes, uint64_t *iova)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		die("memory");
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = *iova = next_iova,
		.size = bytes,
	};
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		die("MAP_DMA");
	next_iova += bytes;
	return memory;
}

// ---- registers

static volatile uint32_t sink;

static void registers(struct device edu)
{
	enum { BATCH = 1000, LIVENESS = 4 };
	volatile uint32_t *live = (volatile uint32_t *)(edu.bar0 + LIVENESS);
	double reads = DBL_MAX, writes = DBL_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t sum = 0;
		uint64_t start = now();
		for (int i = 0; i < BATCH; i++)
			sum += *live;
		count(&reads, now() - start, BATCH);
		sink = sum;
		start = now();
		for (int i = 0; i < BATCH; i++)
			*live = i;
		count(&writes, now() - start, BATCH);
	}
	printf("register read\t%.1f\nregister write\t%.1f\n", reads, writes);
}

// ---- an ioctl

static void ioctls(void)
{
	enum { BATCH = 1000 };
	double each = DBL_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now();
		for (int i = 0; i < BATCH; i++)
			if (ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) < 1)
				die("CHECK_EXTENSION");
		count(&each, now() - start, BATCH);
	}
	printf("ioctl\t%.1f\n", each);
}

// ---- a mapping, with nearly as many of them as a container holds

static void map_page(void *page, uint64_t iova)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)page,
		.iova = iova,
		.size = 4096,
	};
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		die("MAP_DMA");
}

static void unmap(uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = iova, .size = size };
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) || unmap.size != size)
		die("UNMAP_DMA");
}

static void mappings(void)
{
	enum { BATCH = 20, MAPPED = 60000 };
	uint64_t high = 1ull << 32;
	void *page = aligned_alloc(4096, 4096);
	if (!page)
		die("memory");
	memset(page, 0, 4096);
	for (int i = 0; i < MAPPED; i++)
		map_page(page, high + i * 4096ull);
	double each = DBL_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now();
		for (int i = 0; i < BATCH; i++) {
			map_page(page, 0x10000);
			unmap(0x10000, 4096);
		}
		count(&each, now() - start, BATCH);
	}
	printf("map and unmap a page\t%.1f\n", each);
	unmap(high, MAPPED * 4096ull);
}

// ---- NVMe

enum {
	CC = 0x14,
	CSTS = 0x1c,
	AQA = 0x24,
	ASQ = 0x28,
	ACQ = 0x30,
	DOORBELLS = 0x1000,
	ENTRIES = 64,
	PAGE = 4096,
	MOST_BYTES = 128 << 10,
	CREATE_SQ = 1,
	CREATE_CQ = 5,
	READ = 2,
	NONE = -1,
	LAST = -1,
	UNDER_WAY = -2,
};

struct command {
	uint32_t opcode_and_id, namespace;
	uint64_t reserved, metadata, prp1, prp2;
	uint32_t dword10, dword11, dword12, dword13;
	uint64_t dword14;
};

struct completion {
	uint32_t result, reserved, head_and_queue, id_and_status;
};

struct queue {
	struct command *submissions;
	struct completion *completions;
	volatile uint32_t *tail_doorbell, *head_doorbell;
	uint64_t *lists;
	uint64_t submissions_iova, completions_iova, lists_iova;
	unsigned int tail, head, phase;
	int free; // the first command identifier that is free, or LAST
	bool head_moved;
	unsigned int status;
	int next[ENTRIES - 1]; // by command identifier: the next one that is free, LAST or UNDER_WAY
};

static struct queue *make_queue(struct device nvme, int id)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	if (!queue)
		die("calloc");
	queue->submissions = allocate(ENTRIES * sizeof(struct command), &queue->submissions_iova);
	queue->completions = allocate(PAGE, &queue->completions_iova);
	queue->lists = allocate(ENTRIES * (MOST_BYTES / PAGE) * sizeof(uint64_t), &queue->lists_iova);
	queue->tail_doorbell = (volatile uint32_t *)(nvme.bar0 + DOORBELLS + 2 * id * 4);
	queue->head_doorbell = (volatile uint32_t *)(nvme.bar0 + DOORBELLS + (2 * id + 1) * 4);
	queue->phase = 1;
	for (int i = 0; i < ENTRIES - 1; i++)
		queue->next[i] = i + 1 < ENTRIES - 1 ? i + 1 : LAST;
	return queue;
}

static uint64_t second_page(struct queue *queue, unsigned int id, uint64_t iova, int bytes)
{
	uint64_t second = (iova | (PAGE - 1)) + 1;
	int64_t rest = iova + bytes - second;
	if (rest <= 0)
		return 0;
	if (rest <= PAGE)
		return second;
	uint64_t list = (uint64_t)id * (MOST_BYTES / PAGE);
	for (uint64_t slot = list; rest > 0; slot++, second += PAGE, rest -= PAGE)
		queue->lists[slot] = second;
	return queue->lists_iova + list * sizeof(uint64_t);
}

static inline int submit(struct queue *queue, int opcode, uint32_t namespace, uint64_t iova, int bytes,
			 uint32_t dword10, uint32_t dword11, uint32_t dword12)
{
	if (queue->free == LAST || (iova & 3) || bytes < 0 || bytes > MOST_BYTES)
		return NONE;
	unsigned int id = queue->free;
	queue->free = queue->next[id];
	queue->next[id] = UNDER_WAY;
	queue->submissions[queue->tail] = (struct command){
		.opcode_and_id = opcode | id << 16,
		.namespace = namespace,
		.prp1 = bytes ? iova : 0,
		.prp2 = second_page(queue, id, iova, bytes),
		.dword10 = dword10,
		.dword11 = dword11,
		.dword12 = dword12,
	};
	queue->tail = queue->tail + 1 == ENTRIES ? 0 : queue->tail + 1;
	return id;
}

static inline void ring(struct queue *queue)
{
	atomic_thread_fence(memory_order_release);
	if (queue->head_moved) {
		*queue->head_doorbell = queue->head;
		queue->head_moved = false;
	}
	*queue->tail_doorbell = queue->tail;
}

static inline int reap(struct queue *queue)
{
	volatile struct completion *entry = &queue->completions[queue->head];
	uint32_t last = entry->id_and_status;
	atomic_thread_fence(memory_order_acquire);
	if ((last >> 16 & 1) != queue->phase)
		return NONE;
	unsigned int id = last & 0xffff;
	if (id >= ENTRIES - 1 || queue->next[id] != UNDER_WAY)
		die("a completion for no command");
	queue->status = last >> 17;
	queue->next[id] = queue->free;
	queue->free = id;
	if (++queue->head == ENTRIES) {
		queue->head = 0;
		queue->phase ^= 1;
	}
	queue->head_moved = true;
	return id;
}

static void await_one(struct queue *queue)
{
	while (reap(queue) == NONE)
		;
	if (queue->status) {
		fprintf(stderr, "NVMe status 0x%x\n", queue->status);
		exit(1);
	}
}

static void admin(struct queue *queue, int opcode, uint64_t iova, uint32_t dword10, uint32_t dword11)
{
	submit(queue, opcode, 0, iova, PAGE, dword10, dword11, 0);
	ring(queue);
	await_one(queue);
}

static void await_ready(struct device nvme, uint32_t wanted)
{
	while ((*(volatile uint32_t *)(nvme.bar0 + CSTS) & 1) != wanted)
		;
}

static struct queue *start_nvme(struct device nvme)
{
	*(volatile uint32_t *)(nvme.bar0 + CC) = 0;
	await_ready(nvme, 0);
	struct queue *admin_queue = make_queue(nvme, 0), *queue = make_queue(nvme, 1);
	*(volatile uint32_t *)(nvme.bar0 + AQA) = (ENTRIES - 1) << 16 | (ENTRIES - 1);
	*(volatile uint64_t *)(nvme.bar0 + ASQ) = admin_queue->submissions_iova;
	*(volatile uint64_t *)(nvme.bar0 + ACQ) = admin_queue->completions_iova;
	*(volatile uint32_t *)(nvme.bar0 + CC) = 4 << 20 | 6 << 16 | 1;
	await_ready(nvme, 1);
	admin(admin_queue, CREATE_CQ, queue->completions_iova, (ENTRIES - 1) << 16 | 1, 1);
	admin(admin_queue, CREATE_SQ, queue->submissions_iova, (ENTRIES - 1) << 16 | 1, 1 << 16 | 1);
	return queue;
}

// The device works in the host's time: give it some, and count no waiting.
static void let_it_work(void)
{
	for (volatile int i = 0; i < 100000; i++)
		;
}

static void reads(struct queue *queue, uint64_t data, bool doorbell_each, const char *name)
{
	enum { DEPTH = 32, BLOCKS = 8 };
	double submits = DBL_MAX, reaps = DBL_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now();
		for (int i = 0; i < DEPTH; i++) {
			submit(queue, READ, 1, data + i * PAGE, PAGE, i * BLOCKS, 0, BLOCKS - 1);
			if (doorbell_each)
				ring(queue);
		}
		if (!doorbell_each)
			ring(queue);
		count(&submits, now() - start, DEPTH);
		let_it_work();
		int reaped = 0;
		start = now();
		while (reaped < DEPTH && reap(queue) != NONE)
			reaped++;
		uint64_t took = now() - start;
		if (reaped == DEPTH)
			count(&reaps, took, DEPTH);
		for (; reaped < DEPTH; reaped++)
			await_one(queue);
	}
	printf("%s, submit\t%.1f\n%s, reap\t%.1f\n", name, submits, name, reaps);
}

// ---- packets

#include "e1000e.h"

static void await_link(struct port *port)
{
	while (!(port_read(port, E_STATUS) & E_LINK))
		usleep(1000);
}

// A peer sends a burst; when all of it is there, it is forwarded in one go, and nothing waits.
static void packets(struct device port_device, struct device peer_device)
{
	struct port *port = start_port(port_device), *peer = start_port(peer_device);
	await_link(port);
	await_link(peer);
	uint64_t forwarded = 0, dropped = 0;
	double each = DBL_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int burst[E_BURST];
		for (int i = 0; i < E_BURST; i++) {
			burst[i] = pool_take(peer->pool);
			peer->pool->lengths[burst[i]] = 60;
		}
		if (transmit(peer, burst, E_BURST) != E_BURST)
			die("the peer's ring is full");
		let_it_work();
		uint64_t start = now();
		int arrived = forward(port, &forwarded, &dropped);
		uint64_t took = now() - start;
		if (arrived == E_BURST)
			count(&each, took, E_BURST);
		while (arrived < E_BURST)
			arrived += forward(port, &forwarded, &dropped);
		for (int back = 0; back < E_BURST;) {
			int some = receive(peer, burst, E_BURST);
			for (int i = 0; i < some; i++)
				pool_give(peer->pool, burst[i]);
			back += some;
		}
	}
	if (forwarded != ROUNDS * E_BURST || dropped)
		die("packets were lost");
	printf("packet forwarded, bursts of 32\t%.1f\n", each);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: guest EDU NVME PORT PEER\n");
		return 2;
	}
	start_idle_thread();
	empty = empty_pair();
	struct device edu = open_device(argv[1]), nvme = open_device(argv[2]);
	registers(edu);
	ioctls();
	mappings();
	struct queue *queue = start_nvme(nvme);
	uint64_t data;
	allocate(32 * PAGE, &data);
	reads(queue, data, true, "NVMe read, a doorbell each");
	reads(queue, data, false, "NVMe read, a doorbell for 32");
	packets(open_device(argv[3]), open_device(argv[4]));
	return 0;
}
