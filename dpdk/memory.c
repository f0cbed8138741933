// SPDX-License-Identifier: Apache-2.0
/*
 * What a port of zero_copy=1 shares with the switch: the pages with the data of the mbufs of its
 * receive queues' pools, and no others. The pages belong to the EAL. With path= the EAL has a file
 * behind them. The switch asks for the files at a socket beside the region's file, and the EAL's
 * interrupt thread answers. With elisa= the pages are donated, and need no file.
 */
#include "net_rvif.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_memory.h>
#include <stdlib.h>

/* Donated memory is aligned to this at most, even if its pages are larger. */
#define MAX_DONATED_PAGE RTE_PGSIZE_2M

/* Addresses from start up to end. */
struct extent {
	uintptr_t start;
	uintptr_t end;
};

struct extents {
	struct extent *list;
	size_t count;
	size_t room;
	int error;
};

static void add_extent(struct extents *all, const void *address, size_t length)
{
	const uintptr_t start = (uintptr_t)address, end = start + length;
	struct extent *last = all->count ? &all->list[all->count - 1] : NULL, *list;

	/* most extents follow the one before */
	if (last && start >= last->start && start <= last->end) {
		last->end = RTE_MAX(last->end, end);
		return;
	}
	if (all->count == all->room) {
		const size_t room = all->room ? 2 * all->room : 64;

		list = realloc(all->list, room * sizeof(*list));
		if (!list) {
			all->error = -ENOMEM;
			return;
		}
		all->list = list;
		all->room = room;
	}
	all->list[all->count++] = (struct extent){start, end};
}

static void add_chunk(struct rte_mempool *pool, void *opaque, struct rte_mempool_memhdr *chunk,
		      unsigned int index)
{
	RTE_SET_USED(pool);
	RTE_SET_USED(index);
	add_extent(opaque, chunk->addr, chunk->len);
}

static void add_buffer(struct rte_mempool *pool, void *opaque, void *object, unsigned int index)
{
	const struct rte_mbuf *m = object;

	RTE_SET_USED(pool);
	RTE_SET_USED(index);
	add_extent(opaque, m->buf_addr, m->buf_len);
}

static int by_start(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Adds the memory of a pool. The mbufs' data lies behind their headers, or in buffers of its
 * own. */
static void add_pool(struct extents *all, struct rte_mempool *pool)
{
	if (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF)
		rte_mempool_obj_iter(pool, add_buffer, all);
	else
		rte_mempool_mem_iter(pool, add_chunk, all);
}

/* Finds the page at this address, as a piece of its own. */
static int find_page(uintptr_t address, bool needs_file, struct rvif_memory *piece)
{
	const struct rte_memseg_list *list = rte_mem_virt2memseg_list((void *)address);
	const struct rte_memseg *page = list ? rte_mem_virt2memseg((void *)address, list) : NULL;
	size_t at = 0;

	if (!page || list->external)
		return -ENOTSUP;
	*piece = (struct rvif_memory){
		.address = page->addr,
		.fd = -1,
		.page = list->page_sz,
		.size = list->page_sz,
	};
	if (!needs_file) {
		piece->page = RTE_MIN(piece->page, (uint64_t)MAX_DONATED_PAGE);
		return 0;
	}
	piece->fd = rte_memseg_get_fd(page);
	if (piece->fd < 0 || rte_memseg_get_fd_offset(page, &at))
		return -rte_errno;
	piece->at = at;
	return 0;
}

static uintptr_t start_of(const struct rvif_memory *piece)
{
	return (uintptr_t)piece->address;
}

/* Tells whether the page continues the last piece. Without a file, only the addresses decide. */
static bool continues(const struct rvif_memory *last, const struct rvif_memory *page)
{
	return start_of(page) == start_of(last) + last->size && last->fd == page->fd &&
	       last->page == page->page && (page->fd < 0 || last->at + last->size == page->at);
}

/* Adds all pages of an extent that are not in the list yet. */
static int add_pages(struct net_rvif_memory *memory, bool need_files, const struct extent *extent)
{
	uint32_t *count = &memory->sharing.count;
	struct rvif_memory page;
	int error;

	for (uintptr_t at = extent->start; at < extent->end; at = start_of(&page) + page.size) {
		struct rvif_memory *last = *count ? &memory->pieces[*count - 1] : NULL;

		error = find_page(at, need_files, &page);
		if (error)
			return error;
		if (last && start_of(&page) < start_of(last) + last->size)
			continue;
		if (last && continues(last, &page)) {
			last->size += page.size;
			continue;
		}
		if (*count == RVIF_MAX_MEMORY)
			return -E2BIG;
		memory->pieces[(*count)++] = page;
	}
	return 0;
}

static int too_much(const struct rte_eth_dev_data *data, int error)
{
	NET_RVIF_LOG(ERR, "port %u: zero_copy=1: %s", data->port_id,
		     error == -E2BIG ?
			     "the pools' memory is in more than 253 pieces; EAL's "
			     "--single-file-segments or larger pages make them fewer" :
		     error == -ENOMEM ?
			     "no memory for the list of what is shared" :
			     "a receive queue's pool has memory that is not the EAL's, or that has "
			     "no file; testpmd's --mp-alloc=native and xbuf are the EAL's");
	return error;
}

int net_rvif_find_memory(struct net_rvif_memory *memory, bool need_files,
			 const struct rte_eth_dev_data *data)
{
	struct extents all = {.list = NULL};
	int error;

	memory->sharing = (struct rvif_sharing){.memory = memory->pieces};
	for (uint16_t i = 0; i < data->nb_rx_queues; i++) {
		const struct net_rvif_rxq *queue = data->rx_queues[i], *before = queue;

		if (i)
			before = data->rx_queues[i - 1];
		if (!i || queue->pool != before->pool)
			add_pool(&all, queue->pool);
	}
	error = all.error;
	qsort(all.list, all.count, sizeof(*all.list), by_start);
	for (size_t i = 0; i < all.count && !error; i++)
		error = add_pages(memory, need_files, &all.list[i]);
	free(all.list);
	return error ? too_much(data, error) : 0;
}

static int longest_first(const void *a, const void *b)
{
	const struct net_rvif_range *x = a, *y = b;

	return x->length > y->length ? -1 : x->length < y->length;
}

/* Makes ranges of the pieces. Pieces that follow each other in this process and in the region are
 * one range. */
void net_rvif_make_ranges(struct net_rvif_memory *memory)
{
	memory->count = 0;
	for (uint32_t i = 0; i < memory->sharing.count; i++) {
		const struct rvif_memory *piece = &memory->pieces[i];
		struct net_rvif_range *last = memory->count ? &memory->ranges[memory->count - 1] :
							      NULL;

		if (last && last->start + last->length == start_of(piece) &&
		    last->offset + last->length == piece->offset) {
			last->length += piece->size;
			continue;
		}
		memory->ranges[memory->count++] = (struct net_rvif_range){
			.start = start_of(piece),
			.length = piece->size,
			.offset = (uint32_t)piece->offset,
		};
	}
	qsort(memory->ranges, memory->count, sizeof(memory->ranges[0]), longest_first);
}

bool net_rvif_in_other(const struct net_rvif_memory *memory, uintptr_t data, uint32_t length,
		       uint32_t *offset)
{
	for (uint32_t i = 1; i < memory->count; i++) {
		const struct net_rvif_range *range = &memory->ranges[i];
		const uint64_t at = data - range->start;

		if (at >= range->length || length > range->length - at)
			continue;
		*offset = range->offset + (uint32_t)at;
		return true;
	}
	return false;
}

static void answer(void *opaque)
{
	const struct net_rvif_port *port = opaque;

	rvif_share(&port->vnic);
}

int net_rvif_memory_serve(struct net_rvif_port *port)
{
	struct rte_intr_handle *asked = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);

	if (asked && !rte_intr_fd_set(asked, rvif_sharing_fd(&port->vnic)) &&
	    !rte_intr_type_set(asked, RTE_INTR_HANDLE_EXT) &&
	    !rte_intr_callback_register(asked, answer, port)) {
		port->asked = asked;
		return 0;
	}
	rte_intr_instance_free(asked);
	NET_RVIF_LOG(ERR, "%s: the EAL's interrupt thread does not wait for switches: %s",
		     port->options.path, rte_strerror(rte_errno));
	return -EIO;
}

/* Stops answering switches. Waits for an answer that is under way. */
void net_rvif_memory_end(struct net_rvif_port *port)
{
	if (!port->asked)
		return;
	rte_intr_callback_unregister_sync(port->asked, answer, port);
	rte_intr_instance_free(port->asked);
	port->asked = NULL;
}
