/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../must.h"
#include "lib_fake.h"

static void wake(struct rawnet_ring_ctl *ctl, int fd)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ctl->sleep.client, __ATOMIC_RELAXED))
		send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct rawnet_slot *fake_fill(struct fake_attachment *a, unsigned queue, const void *data,
			      uint32_t len)
{
	struct fake_queue *q = &a->q[queue];
	uint32_t client = __atomic_load_n(&q->rx_ctl->client, __ATOMIC_ACQUIRE);
	struct rawnet_slot *s = &q->rx[q->rx_daemon & (q->rx_size - 1)];

	must(client - q->rx_daemon <= q->rx_size);
	if (client == q->rx_daemon)
		return NULL;
	s->off = (s->off & ~(a->buf_size - 1)) + a->headroom;
	must(s->off + len <= a->packets_size);
	memcpy(a->packets + s->off, data, len);
	s->len = (uint16_t)len;
	s->flags = 0;
	memset(&s->u, 0, sizeof(s->u));
	q->rx_daemon++;
	return s;
}

void fake_publish(struct fake_attachment *a, unsigned queue)
{
	struct fake_queue *q = &a->q[queue];

	__atomic_store_n(&q->rx_ctl->daemon, q->rx_daemon, __ATOMIC_RELEASE);
	wake(q->rx_ctl, q->wake_fd);
}

bool fake_deliver(struct fake_attachment *a, unsigned queue, const void *data, uint32_t len)
{
	if (!fake_fill(a, queue, data, len))
		return false;
	fake_publish(a, queue);
	return true;
}

bool fake_take(struct fake_attachment *a, unsigned queue, struct rawnet_slot *slot)
{
	struct fake_queue *q = &a->q[queue];
	uint32_t client = __atomic_load_n(&q->tx_ctl->client, __ATOMIC_ACQUIRE);

	must(client - q->tx_daemon <= q->tx_size);
	if (client == q->tx_daemon)
		return false;
	*slot = q->tx[q->tx_daemon++ & (q->tx_size - 1)];
	return true;
}

void fake_done(struct fake_attachment *a, unsigned queue)
{
	struct fake_queue *q = &a->q[queue];

	__atomic_store_n(&q->tx_ctl->daemon, q->tx_daemon, __ATOMIC_RELEASE);
	wake(q->tx_ctl, q->wake_fd);
}
