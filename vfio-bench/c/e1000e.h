// DPDK's l2fwd with one port, on a driver for the 82574L: the sibling of the Java one, with the same rings, the same pool
// of numbered packets and the same checks. Included by guest.c.
#include <stdint.h>

enum {
	E_CTRL = 0x0000,
	E_STATUS = 0x0008,
	E_IMC = 0x00d8,
	E_RCTL = 0x0100,
	E_TCTL = 0x0400,
	E_TIPG = 0x0410,
	E_RDBA = 0x2800,
	E_RDLEN = 0x2808,
	E_RDH = 0x2810,
	E_RDT = 0x2818,
	E_TDBA = 0x3800,
	E_TDLEN = 0x3808,
	E_TDH = 0x3810,
	E_TDT = 0x3818,
	E_TXDCTL = 0x3828,
	E_RAL0 = 0x5400,
	E_RAH0 = 0x5404,
	E_RESET = 1 << 26,
	E_LINK = 1 << 1,
	E_ENTRIES = 512,
	E_MASK = E_ENTRIES - 1,
	E_PACKETS = 2048,
	E_BUFFER_SHIFT = 11,
	E_HEADROOM = 64,
	E_BURST = 32,
};

#define E_DONE (1ull << 32)
#define E_RX_END (1ull << 33)
#define E_RX_ERRORS (0xffull << 40)
#define E_TX_END (1ull << 24)
#define E_TX_CRC (1ull << 25)
#define E_TX_REPORT (1ull << 27)

struct pool {
	uint8_t *data;
	uint64_t iova;
	int free_count;
	int lengths[E_PACKETS], free[E_PACKETS];
	bool taken[E_PACKETS];
};

struct descriptor {
	uint64_t address, word;
};

struct port {
	volatile uint8_t *registers;
	struct pool *pool;
	struct descriptor *rx, *tx;
	int rx_packets[E_ENTRIES], tx_packets[E_ENTRIES], tx_last[E_ENTRIES];
	int rx_head, tx_tail, tx_oldest;
	uint64_t mac, received, received_bytes, sent, sent_bytes, without_buffer, bad;
};

static inline uint32_t port_read(struct port *port, int at)
{
	return *(volatile uint32_t *)(port->registers + at);
}

static inline void port_write(struct port *port, int at, uint32_t value)
{
	*(volatile uint32_t *)(port->registers + at) = value;
}

static inline int pool_take(struct pool *pool)
{
	if (pool->free_count == 0)
		return -1;
	int packet = pool->free[--pool->free_count];
	pool->taken[packet] = true;
	return packet;
}

static inline void pool_give(struct pool *pool, int packet)
{
	if (!pool->taken[packet])
		die("a packet was given back twice");
	pool->taken[packet] = false;
	pool->free[pool->free_count++] = packet;
}

static inline uint64_t pool_offset(int packet)
{
	return ((uint64_t)packet << E_BUFFER_SHIFT) + E_HEADROOM;
}

static struct pool *make_pool(void)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		die("calloc");
	pool->data = allocate((size_t)E_PACKETS << E_BUFFER_SHIFT, &pool->iova);
	for (int i = 0; i < E_PACKETS; i++)
		pool->free[pool->free_count++] = E_PACKETS - 1 - i;
	return pool;
}

static struct port *start_port(struct device device)
{
	struct port *port = calloc(1, sizeof(*port));
	if (!port)
		die("calloc");
	uint64_t rx, tx;
	port->registers = device.bar0;
	port->pool = make_pool();
	port->rx = allocate(E_ENTRIES * sizeof(struct descriptor), &rx);
	port->tx = allocate(E_ENTRIES * sizeof(struct descriptor), &tx);
	port_write(port, E_IMC, -1);
	port_write(port, E_CTRL, port_read(port, E_CTRL) | E_RESET);
	while (port_read(port, E_CTRL) & E_RESET)
		;
	port_write(port, E_IMC, -1);
	port->mac = port_read(port, E_RAL0) | (uint64_t)(port_read(port, E_RAH0) & 0xffff) << 32;
	for (int i = 0; i < E_ENTRIES; i++) {
		port->rx_packets[i] = pool_take(port->pool);
		port->rx[i].address = port->pool->iova + pool_offset(port->rx_packets[i]);
	}
	port_write(port, E_RDBA, rx);
	port_write(port, E_RDBA + 4, rx >> 32);
	port_write(port, E_RDLEN, E_ENTRIES * sizeof(struct descriptor));
	port_write(port, E_RDH, 0);
	port_write(port, E_RDT, 0);
	port_write(port, E_RCTL, 1 << 1 | 3 << 3 | 1 << 15 | 1 << 26); // on; promiscuous; broadcasts; without CRC
	port_write(port, E_RDT, E_MASK);
	port_write(port, E_TDBA, tx);
	port_write(port, E_TDBA + 4, tx >> 32);
	port_write(port, E_TDLEN, E_ENTRIES * sizeof(struct descriptor));
	port_write(port, E_TDH, 0);
	port_write(port, E_TDT, 0);
	port_write(port, E_TXDCTL, 1 << 22);
	port_write(port, E_TIPG, 0x00602008);
	port_write(port, E_TCTL, 1 << 1 | 1 << 3 | 0x0f << 4 | 0x3f << 12); // on; pads; collisions
	port_write(port, E_CTRL, port_read(port, E_CTRL) | 1 << 6 | 1 << 5); // link up; speed detection
	return port;
}

static int receive(struct port *port, int *packets, int most)
{
	struct pool *pool = port->pool;
	int count = 0, head = port->rx_head;
	while (count < most) {
		volatile struct descriptor *entry = &port->rx[head];
		uint64_t word = entry->word;
		atomic_thread_fence(memory_order_acquire);
		if (!(word & E_DONE))
			break;
		int packet = port->rx_packets[head], next = packet;
		if ((word & E_RX_ERRORS) || !(word & E_RX_END)) {
			port->bad++;
		} else if ((next = pool_take(pool)) < 0) {
			next = packet;
			port->without_buffer++;
		} else {
			int length = word & 0xffff;
			pool->lengths[packet] = length;
			packets[count++] = packet;
			port->received_bytes += length;
		}
		port->rx_packets[head] = next;
		entry->address = pool->iova + pool_offset(next);
		entry->word = 0;
		head = (head + 1) & E_MASK;
	}
	if (head != port->rx_head) {
		port->rx_head = head;
		port->received += count;
		atomic_thread_fence(memory_order_release);
		port_write(port, E_RDT, (head - 1) & E_MASK);
	}
	return count;
}

static void take_back(struct port *port)
{
	while (port->tx_oldest != port->tx_tail) {
		int last = port->tx_last[port->tx_oldest];
		uint64_t word = *(volatile uint64_t *)&port->tx[last].word;
		atomic_thread_fence(memory_order_acquire);
		if (!(word & E_DONE))
			return;
		int end = (last + 1) & E_MASK;
		while (port->tx_oldest != end) {
			pool_give(port->pool, port->tx_packets[port->tx_oldest]);
			port->tx_oldest = (port->tx_oldest + 1) & E_MASK;
		}
	}
}

static int transmit(struct port *port, const int *packets, int count)
{
	take_back(port);
	int tail = port->tx_tail, room = (port->tx_oldest - tail - 1) & E_MASK;
	int accepted = count < room ? count : room;
	if (accepted == 0)
		return 0;
	uint64_t bytes = 0;
	int last = (tail + accepted - 1) & E_MASK;
	port->tx_last[tail] = last;
	for (int i = 0; i < accepted; i++) {
		int packet = packets[i], length = port->pool->lengths[packet];
		port->tx_packets[tail] = packet;
		port->tx[tail].address = port->pool->iova + pool_offset(packet);
		port->tx[tail].word = length | E_TX_END | E_TX_CRC | (tail == last ? E_TX_REPORT : 0);
		bytes += length;
		tail = (tail + 1) & E_MASK;
	}
	port->tx_tail = tail;
	port->sent += accepted;
	port->sent_bytes += bytes;
	atomic_thread_fence(memory_order_release);
	port_write(port, E_TDT, tail);
	return accepted;
}

// What arrives leaves by the same port: to 02:00:00:00:00:00, from the port.
static int forward(struct port *port, uint64_t *forwarded, uint64_t *dropped)
{
	int burst[E_BURST];
	int count = receive(port, burst, E_BURST);
	if (count == 0)
		return 0;
	for (int i = 0; i < count; i++) {
		uint8_t *data = port->pool->data + pool_offset(burst[i]);
		*(uint64_t *)data = 0x02 | port->mac << 48;
		*(uint32_t *)(data + 8) = port->mac >> 16;
	}
	int sent = transmit(port, burst, count);
	*forwarded += sent;
	for (int i = sent; i < count; i++) {
		pool_give(port->pool, burst[i]);
		(*dropped)++;
	}
	return count;
}
