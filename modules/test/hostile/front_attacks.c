// SPDX-License-Identifier: GPL-2.0
/*
 * What the hostile front end does: the catalogue, by kind of answer that an
 * honest back end owes (see README.md), and its execution.
 */
#include <linux/delay.h>
#include <linux/seq_file.h>

#include "front.h"

/* What an attack needs of the disk. */
#define NEEDS_BLOCKS		BIT(0)	/* a logical block above 512 bytes */
#define NEEDS_READONLY		BIT(1)
#define NEEDS_WRITABLE		BIT(2)
#define NEEDS_DISCARD		BIT(3)
#define NEEDS_NO_DISCARD	BIT(4)
#define NEEDS_INDIRECT		BIT(5)
#define NEEDS_NO_INDIRECT	BIT(6)
#define NEEDS_SMALL_BLOCKS	BIT(7)	/* a logical block of 512 bytes */
#define NEEDS_RING_PAGES	BIT(8)	/* more than one is offered */
#define NEEDS_QUEUES		BIT(9)	/* likewise */

static const char * const needs_names[] = {
	"larger blocks", "a read-only disk", "a writable disk", "discard",
	"no discard", "indirect requests", "no indirect requests",
	"blocks of 512 bytes", "multi-page rings", "several queues",
};

enum hf_kind {
	/* forge() spoils a proper read of two pages. The back end answers with
	 * @status, moves no byte, and goes on serving.
	 */
	REFUSED,
	/* run() finds every request answered; the back end goes on serving. */
	ANSWERED,
	/* run() breaks the ring protocol: the back end closes the disk. */
	BREACH,
	/* After run() the back end may serve or may have closed the disk. */
	EITHER,
	/* run() begins before a connection, and does what it likes with it. */
	HANDSHAKE,
	/* After run() nothing is owed: the disk must be attached anew. */
	SUICIDE,
};

static const char * const hf_kind_names[] = {
	[REFUSED] = "refused",
	[ANSWERED] = "answered",
	[BREACH] = "breach",
	[EITHER] = "either",
	[HANDSHAKE] = "handshake",
	[SUICIDE] = "suicide",
};

struct hf_attack {
	const char *name;
	enum hf_kind kind;
	const char *what;
	unsigned int needs;
	s16 status;
	bool grant;		/* forge() spoils one of the grants */
	void (*forge)(struct hf *h, struct blkif_request *req);
	void (*run)(struct hf *h);
};

/*
 * REFUSED: one bad request.
 */

/* Make @req an indirect read of @nr segments of the data pages. */
static void fill_indirect(struct hf *h, struct blkif_request *req,
			  unsigned int nr)
{
	u64 id = req->u.rw.id;
	unsigned int i;

	memset(req, 0, sizeof(*req));
	req->operation = BLKIF_OP_INDIRECT;
	req->u.indirect.indirect_op = BLKIF_OP_READ;
	req->u.indirect.nr_segments = nr;
	req->u.indirect.id = id;
	req->u.indirect.sector_number = HF_PAGE_SECTORS;
	for (i = 0; i < HF_DESC_PAGES; i++)
		req->u.indirect.indirect_grefs[i] = h->refs[HF_DATA_PAGES + i];
	for (i = 0; i < min_t(u32, nr, HF_DESC_PAGES * HF_DESCS_PER_PAGE); i++) {
		hf_desc(h, i)->gref = h->refs[i % HF_DATA_PAGES];
		hf_desc(h, i)->first_sect = 0;
		hf_desc(h, i)->last_sect = HF_PAGE_SECTORS - 1;
	}
}

/* Make @req a discard of @nr sectors at @sector. */
static void fill_discard(struct blkif_request *req, u64 sector, u64 nr)
{
	u64 id = req->u.rw.id;

	memset(req, 0, sizeof(*req));
	req->operation = BLKIF_OP_DISCARD;
	req->u.discard.id = id;
	req->u.discard.sector_number = sector;
	req->u.discard.nr_sectors = nr;
}

static void op_unknown(struct hf *h, struct blkif_request *req)
{
	req->operation = 0xee;
}

static void op_reserved(struct hf *h, struct blkif_request *req)
{
	req->operation = 4;		/* once BLKIF_OP_RESERVED_1 */
}

static void segs_none(struct hf *h, struct blkif_request *req)
{
	req->u.rw.nr_segments = 0;
}

static void segs_none_write(struct hf *h, struct blkif_request *req)
{
	req->operation = BLKIF_OP_WRITE;
	req->u.rw.nr_segments = 0;
}

static void segs_12(struct hf *h, struct blkif_request *req)
{
	req->u.rw.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST + 1;
}

static void segs_255(struct hf *h, struct blkif_request *req)
{
	req->u.rw.nr_segments = 255;
}

static void segs_255_flush(struct hf *h, struct blkif_request *req)
{
	req->operation = BLKIF_OP_FLUSH_DISKCACHE;
	req->u.rw.nr_segments = 255;
}

static void sect_swapped(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].first_sect = 7;
	req->u.rw.seg[1].last_sect = 0;
}

static void sect_8(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].last_sect = HF_PAGE_SECTORS;
}

static void sect_255(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].first_sect = 248;
	req->u.rw.seg[1].last_sect = 255;
}

static void sector_at_end(struct hf *h, struct blkif_request *req)
{
	req->u.rw.sector_number = h->disk.sectors;
}

static void sector_over_end(struct hf *h, struct blkif_request *req)
{
	req->u.rw.sector_number = h->disk.sectors - HF_PAGE_SECTORS;
}

static void sector_over_end_write(struct hf *h, struct blkif_request *req)
{
	req->operation = BLKIF_OP_WRITE;
	req->u.rw.sector_number = h->disk.sectors - HF_PAGE_SECTORS;
}

static void sector_wraps(struct hf *h, struct blkif_request *req)
{
	req->u.rw.sector_number = U64_MAX - HF_PAGE_SECTORS + 1;
}

static void sector_wraps_bytes(struct hf *h, struct blkif_request *req)
{
	/* times 512 it is the disk's beginning again */
	req->u.rw.sector_number = 1ULL << 55;
}

static void sector_sign(struct hf *h, struct blkif_request *req)
{
	req->u.rw.sector_number = 1ULL << 63;
}

static void block_offset(struct hf *h, struct blkif_request *req)
{
	req->u.rw.sector_number++;
}

static void block_length(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].last_sect = 2;
}

static void block_halves(struct hf *h, struct blkif_request *req)
{
	/* a whole block in sum, but in no piece */
	req->u.rw.seg[0].last_sect = 3;
	req->u.rw.seg[1].first_sect = 4;
}

static void gref_zero(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[0].gref = 0;
}

static void gref_huge(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[0].gref = U32_MAX;
}

static void gref_not_granted(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[0].gref = hf_unused_ref(h);
}

static void gref_second_bad(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].gref = U32_MAX - 1;
}

static void gref_readonly(struct hf *h, struct blkif_request *req)
{
	req->u.rw.seg[1].gref = hf_grant(h, h->pages[1], true);
}

static void write_readonly_disk(struct hf *h, struct blkif_request *req)
{
	req->operation = BLKIF_OP_WRITE;
}

static void flush_write_readonly_disk(struct hf *h, struct blkif_request *req)
{
	req->operation = BLKIF_OP_FLUSH_DISKCACHE;
}

static void discard_not_offered(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, 0, HF_PAGE_SECTORS);
}

static void discard_beyond(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, h->disk.sectors, HF_PAGE_SECTORS);
}

static void discard_over_end(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, h->disk.sectors - HF_PAGE_SECTORS,
		     2 * HF_PAGE_SECTORS);
}

static void discard_wraps(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, HF_PAGE_SECTORS, U64_MAX - HF_PAGE_SECTORS + 1);
}

static void discard_wraps_start(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, U64_MAX - HF_PAGE_SECTORS + 1, 2 * HF_PAGE_SECTORS);
}

static void discard_wraps_bytes(struct hf *h, struct blkif_request *req)
{
	fill_discard(req, 1ULL << 55, HF_PAGE_SECTORS);
}

static void indirect_not_offered(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
}

static void indirect_segs_none(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 0);
}

static void indirect_segs_over(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, h->disk.max_indirect + 1);
}

static void indirect_segs_65535(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, U16_MAX);
}

static void indirect_bad_gref(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_grefs[0] = U32_MAX;
}

static void indirect_gref_not_granted(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_grefs[0] = hf_unused_ref(h);
}

static void indirect_nested(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_op = BLKIF_OP_INDIRECT;
}

static void indirect_flush(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_op = BLKIF_OP_FLUSH_DISKCACHE;
}

static void indirect_discard(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_op = BLKIF_OP_DISCARD;
}

static void indirect_op_unknown(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.indirect_op = 0xee;
}

static void indirect_sect_8(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	hf_desc(h, 15)->last_sect = HF_PAGE_SECTORS;
}

static void indirect_sect_swapped(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	hf_desc(h, 15)->first_sect = 7;
	hf_desc(h, 15)->last_sect = 6;
}

static void indirect_seg_bad_gref(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	hf_desc(h, 15)->gref = U32_MAX;
}

static void indirect_over_end(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.sector_number = h->disk.sectors - HF_PAGE_SECTORS;
}

static void indirect_sector_wraps(struct hf *h, struct blkif_request *req)
{
	fill_indirect(h, req, 16);
	req->u.indirect.sector_number = U64_MAX - HF_PAGE_SECTORS + 1;
}

/* How many of the data pages no longer hold only the pattern. */
static unsigned int pages_touched(struct hf *h)
{
	unsigned int i, w, touched = 0;

	for (i = 0; i < HF_DATA_PAGES; i++) {
		for (w = 0; w < PAGE_SIZE / sizeof(u64); w++) {
			if (hf_page(h, i)[w] != HOSTILE_PATTERN) {
				touched++;
				break;
			}
		}
	}
	return touched;
}

static void pages_fill(struct hf *h)
{
	unsigned int i;

	for (i = 0; i < HF_DATA_PAGES; i++)
		memset64(hf_page(h, i), HOSTILE_PATTERN,
			 PAGE_SIZE / sizeof(u64));
}

/*
 * Submit a bad request; the answer is an error, and nothing of the storage
 * domain's memory comes with it: not in the pages, not in the slot's padding.
 */
static void run_refused(struct hf *h, const struct hf_attack *a)
{
	union blkif_sring_entry *slot;
	struct hf_ring *r = hf_ring(h);
	union blkif_sring_entry before;
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int i;
	int err;

	pages_fill(h);
	hf_fill_rw(h, &req, BLKIF_OP_READ, HF_PAGE_SECTORS, 2);
	a->forge(h, &req);
	memset(&before, 0x5a, sizeof(before));
	before.req = req;
	slot = &r->sring->ring[r->req_prod & (r->nr_slots - 1)];
	*slot = before;
	r->req_prod++;
	hf_publish(r);
	err = hf_wait_response(h, r, &rsp);
	if (err) {
		hf_fail(h, "%s", err == -EIO ? "the back end closed the disk" :
					       "no answer");
		return;
	}
	hf_say(h, "status %d", rsp.status);
	if (rsp.status != a->status)
		hf_fail(h, "expected status %d", a->status);
	/* Blkif's answer to an indirect request names the inner operation. */
	if (rsp.id != req.u.rw.id ||
	    (rsp.operation != req.operation &&
	     (req.operation != BLKIF_OP_INDIRECT ||
	      rsp.operation != req.u.indirect.indirect_op)))
		hf_fail(h, "the answer is to id %llu, operation %u", rsp.id,
			rsp.operation);
	for (i = 0; i < sizeof(before); i++) {
		bool ours = i < offsetofend(struct blkif_response, id) ||
			    i == offsetof(struct blkif_response, operation) ||
			    i == offsetof(struct blkif_response, status) ||
			    i == offsetof(struct blkif_response, status) + 1;
		u8 is = ((u8 *)slot)[i];

		if (!ours && is && is != ((u8 *)&before)[i]) {
			hf_fail(h, "byte %u of the slot is %#x", i, is);
			break;
		}
	}
	/* Xen copies page by page: where the data path is copy, the good pages
	 * of a request may have their data when it comes to a bad one.
	 */
	if (pages_touched(h) && !(h->copies && a->grant))
		hf_fail(h, "%u pages were written to", pages_touched(h));
}

/*
 * ANSWERED: odd, but every request gets its answer.
 */

/* Publish @nr copies of @req and count the answers by status. */
static void expect_answers(struct hf *h, const struct blkif_request *req,
			   unsigned int nr)
{
	struct hf_ring *r = hf_ring(h);
	unsigned int i, ok = 0, refused = 0;
	struct blkif_response rsp;

	for (i = 0; i < nr; i++)
		hf_put(r, req);
	hf_publish(r);
	for (i = 0; i < nr; i++) {
		if (hf_wait_response(h, r, &rsp)) {
			hf_fail(h, "%u of %u requests answered", i, nr);
			return;
		}
		if (rsp.id != req->u.rw.id)
			hf_fail(h, "the answer is to id %llu", rsp.id);
		if (rsp.status == BLKIF_RSP_OKAY)
			ok++;
		else
			refused++;
	}
	hf_say(h, "%u done, %u refused", ok, refused);
}

static void same_id(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	expect_answers(h, &req, hf_ring(h)->nr_slots);
}

static void honest(struct hf *h)
{
	hf_serves(h);
	hf_say(h, "%u queues of %u slots, %u bytes a block, %u indirect segments%s",
	       h->nr_queues, h->rings[0].nr_slots, h->disk.block_sectors * 512,
	       h->disk.max_indirect, h->persistent ? ", persistent" : "");
}

static void id_pattern(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	req.u.rw.id = U64_MAX;
	expect_answers(h, &req, 1);
}

static void wrong_handle(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	req.u.rw.handle = 0xffff;
	expect_answers(h, &req, 1);
}

static void flush_with_data(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_FLUSH_DISKCACHE, 0, 2);
	expect_answers(h, &req, 3);
}

static void barrier_with_data(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_WRITE_BARRIER, 0, 2);
	expect_answers(h, &req, 3);
}

static void flush_far_away(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_FLUSH_DISKCACHE, U64_MAX, 0);
	expect_answers(h, &req, 1);
}

static void discard_nothing(struct hf *h)
{
	struct blkif_request req = { };

	req.u.rw.id = h->next_id++;
	fill_discard(&req, 0, 0);
	expect_answers(h, &req, 1);
}

static void discard_unaligned(struct hf *h)
{
	struct blkif_request req = { };

	req.u.rw.id = h->next_id++;
	fill_discard(&req, 3, 2);
	expect_answers(h, &req, 1);
}

static void discard_secure(struct hf *h)
{
	struct blkif_request req = { };

	req.u.rw.id = h->next_id++;
	fill_discard(&req, HF_PAGE_SECTORS, HF_PAGE_SECTORS);
	req.u.discard.flag = 0xff;
	expect_answers(h, &req, 1);
}

static void gref_all_same(struct hf *h)
{
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	for (i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		req.u.rw.seg[i].gref = h->refs[0];
	expect_answers(h, &req, 8);
}

static void gref_page_many_times(struct hf *h)
{
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	for (i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		req.u.rw.seg[i].gref = hf_grant(h, h->pages[0], false);
	expect_answers(h, &req, 8);
}

static void gref_readonly_write(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_WRITE, 0, 1);
	req.u.rw.seg[0].gref = hf_grant(h, h->pages[0], true);
	expect_answers(h, &req, 1);
}

/* Used once as it should be; ended when the back end may have kept it. */
static void gref_revoked(struct hf *h)
{
	struct blkif_request req;
	grant_ref_t ref = hf_grant(h, h->pages[0], false);

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	req.u.rw.seg[0].gref = ref;
	expect_answers(h, &req, 1);
	if (gnttab_try_end_foreign_access(ref)) {
		h->nr_extra--;
		hf_say(h, ", revoked: ");
	} else {
		hf_say(h, ", still mapped: ");
	}
	expect_answers(h, &req, 1);
}

/* References that never come again: how many of them does it keep? */
static void gref_flood(struct hf *h)
{
	const unsigned int nr = 300, per = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int i, s, kept = 0, first = h->nr_extra;

	for (i = 0; i < nr; i++) {
		hf_fill_rw(h, &req, BLKIF_OP_READ, 0, per);
		for (s = 0; s < per; s++)
			req.u.rw.seg[s].gref =
				hf_grant(h, h->pages[s], false);
		if (hf_do(h, r, &req, &rsp)) {
			hf_fail(h, "request %u is not answered", i);
			return;
		}
		if (rsp.status != BLKIF_RSP_OKAY)
			hf_fail(h, "request %u gets status %d", i, rsp.status);
	}
	for (i = first; i < h->nr_extra; i++)
		if (!gnttab_try_end_foreign_access(h->extra[i]))
			h->extra[first + kept++] = h->extra[i];
	h->nr_extra = first + kept;
	hf_say(h, "%u of %u grants kept mapped", kept, nr * per);
	if (kept > nr * per * 2 / 3)
		hf_fail(h, "what it keeps is not bounded");
	if (!h->persistent && kept)
		hf_fail(h, "it keeps what it has not been offered");
}

static void rsp_prod_scribbled(struct hf *h)
{
	static const u32 values[] = { 1, 0x7fffffff, 0x80000000, U32_MAX };
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned long end;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		WRITE_ONCE(r->sring->rsp_prod, r->rsp_cons + values[i]);
		hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
		hf_put(r, &req);
		hf_publish(r);
		/* The back end's own index comes over ours. */
		end = jiffies + 10 * HZ;
		while (READ_ONCE(r->sring->rsp_prod) != r->rsp_cons + 1 &&
		       time_before(jiffies, end))
			usleep_range(100, 200);
		if (READ_ONCE(r->sring->rsp_prod) != r->rsp_cons + 1) {
			hf_fail(h, "not answered after +%#x", values[i]);
			WRITE_ONCE(r->sring->rsp_prod, r->rsp_cons);
			return;
		}
		hf_wait_response(h, r, &rsp);
	}
	hf_say(h, "answered behind %zu scribbled indices", ARRAY_SIZE(values));
}

static void event_indices(struct hf *h)
{
	static const u32 values[] = { 0, 1, 2, 0x7fffffff, 0x80000000,
				      U32_MAX };
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		WRITE_ONCE(r->sring->rsp_event, r->rsp_cons + values[i]);
		WRITE_ONCE(r->sring->req_event, values[i]);
		hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
		if (hf_do(h, r, &req, &rsp)) {
			hf_fail(h, "not answered with +%#x", values[i]);
			return;
		}
	}
	hf_say(h, "answered with %zu event indices", ARRAY_SIZE(values));
}

static void bell_storm(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	unsigned long end = jiffies + HZ;
	unsigned int n = 0;

	while (time_before(jiffies, end)) {
		notify_remote_via_irq(r->irq);
		n++;
		cond_resched();
	}
	hf_say(h, "rang %u times for nothing", n);
}

static void bell_storm_work(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int i, j;

	for (i = 0; i < 50; i++) {
		hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
		hf_put(r, &req);
		for (j = 0; j < 50; j++)
			hf_publish(r);
		if (hf_wait_response(h, r, &rsp)) {
			hf_fail(h, "request %u is not answered", i);
			return;
		}
	}
	hf_say(h, "rang 50 times for each of %u requests", i);
}

/* The ring full, for a second: others must get their share. */
static void request_flood(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	unsigned long end = jiffies + HZ;
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int n = 0;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	while (time_before(jiffies, end)) {
		while (r->req_prod - r->rsp_cons < r->nr_slots)
			hf_put(r, &req);
		hf_publish(r);
		do {
			if (hf_wait_response(h, r, &rsp)) {
				hf_fail(h, "request %u is not answered", n);
				return;
			}
			n++;
		} while (READ_ONCE(r->sring->rsp_prod) != r->rsp_cons);
	}
	while (r->rsp_cons != r->req_prod) {
		if (hf_wait_response(h, r, &rsp)) {
			hf_fail(h, "the last requests are not answered");
			return;
		}
	}
	hf_say(h, "%u requests, all answered", n);
}

/*
 * Publish @req and keep rewriting one byte of what the back end reads until it
 * has answered: what it checks must be what it uses.
 */
static void race(struct hf *h, const struct blkif_request *req, size_t at,
		 u8 *shared, u8 one, u8 other)
{
	struct hf_ring *r = hf_ring(h);
	unsigned int round, ok = 0, refused = 0;
	struct blkif_response rsp;

	for (round = 0; round < 40; round++) {
		unsigned long end = jiffies + 10 * HZ;
		u8 *byte = shared;

		if (!byte)
			byte = (u8 *)&r->sring->ring[r->req_prod &
						     (r->nr_slots - 1)] + at;
		hf_put(r, req);
		hf_publish(r);
		while (READ_ONCE(r->sring->rsp_prod) == r->rsp_cons &&
		       time_before(jiffies, end)) {
			unsigned int i;

			/* Away from the slot before the answer is in it. */
			for (i = 0; i < 500; i++) {
				WRITE_ONCE(*byte, other);
				cpu_relax();
				WRITE_ONCE(*byte, one);
				if (READ_ONCE(r->sring->rsp_prod) !=
				    r->rsp_cons)
					break;
			}
			cond_resched();
		}
		if (hf_wait_response(h, r, &rsp)) {
			hf_fail(h, "round %u is not answered", round);
			return;
		}
		if (rsp.status == BLKIF_RSP_OKAY)
			ok++;
		else
			refused++;
	}
	hf_say(h, "%u done, %u refused", ok, refused);
}

static void race_nr_segments(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 2);
	race(h, &req, offsetof(struct blkif_request, u.rw.nr_segments), NULL,
	     2, 255);
}

static void race_last_sect(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 2);
	race(h, &req, offsetof(struct blkif_request, u.rw.seg[1].last_sect),
	     NULL, 7, 255);
}

static void race_gref(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 2);
	race(h, &req, offsetof(struct blkif_request, u.rw.seg[1].gref) + 3,
	     NULL, 0, 0xff);
}

static void race_indirect_last_sect(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	fill_indirect(h, &req, 16);
	race(h, &req, 0, &hf_desc(h, 15)->last_sect, 7, 255);
}

static void race_indirect_first_sect(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	fill_indirect(h, &req, 16);
	race(h, &req, 0, &hf_desc(h, 15)->first_sect, 0, 255);
}

static void race_indirect_gref(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	fill_indirect(h, &req, 16);
	race(h, &req, 0, (u8 *)&hf_desc(h, 15)->gref + 3, 0, 0xff);
}

/* The device's data lands on the descriptors of the same request. */
static void indirect_onto_itself(struct hf *h)
{
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	fill_indirect(h, &req, 16);
	for (i = 0; i < 16; i++)
		hf_desc(h, i)->gref = h->refs[HF_DATA_PAGES];
	expect_answers(h, &req, 4);
}

static void indirect_max(struct hf *h)
{
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	fill_indirect(h, &req, h->disk.max_indirect);
	expect_answers(h, &req, 4);
}

/* A read that the device fails must not fill the page with something else. */
static void device_error(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;

	pages_fill(h);
	hf_fill_rw(h, &req, BLKIF_OP_READ, h->disk.sectors - HF_PAGE_SECTORS, 1);
	if (hf_do(h, r, &req, &rsp)) {
		hf_fail(h, "not answered");
		return;
	}
	hf_say(h, "status %d, %u pages touched", rsp.status, pages_touched(h));
	if (rsp.status != BLKIF_RSP_ERROR)
		hf_fail(h, "the device's error is not told");
	if (pages_touched(h) && memchr_inv(hf_page(h, 0), 0, PAGE_SIZE))
		hf_fail(h, "a read that failed filled the page");
}

/* Sectors of a page that were not asked for. */
static void partial_page(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int w;

	memset(hf_page(h, 0), 0, PAGE_SIZE);
	hf_fill_rw(h, &req, BLKIF_OP_WRITE, 0, 1);
	if (hf_do(h, r, &req, &rsp) || rsp.status != BLKIF_RSP_OKAY) {
		hf_fail(h, "cannot write");
		return;
	}
	pages_fill(h);
	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	req.u.rw.seg[0].first_sect = 2;
	req.u.rw.seg[0].last_sect = 4;
	if (hf_do(h, r, &req, &rsp) || rsp.status != BLKIF_RSP_OKAY) {
		hf_fail(h, "not served");
		return;
	}
	for (w = 0; w < PAGE_SIZE / sizeof(u64); w++) {
		bool asked = w >= 2 * 64 && w < 5 * 64;

		if (hf_page(h, 0)[w] != (asked ? 0 : HOSTILE_PATTERN)) {
			hf_fail(h, "byte %zu of the page", w * sizeof(u64));
			return;
		}
	}
	hf_say(h, "sectors 2 to 4 were filled and no other byte");
}

/*
 * BREACH: the ring itself.
 */

/* Show a producer index that cannot be, and ring. */
static void show_req_prod(struct hf *h, u32 req_prod)
{
	struct hf_ring *r = hf_ring(h);

	WRITE_ONCE(r->sring->req_prod, req_prod);
	notify_remote_via_irq(r->irq);
}

static void prod_over_1(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);

	show_req_prod(h, r->rsp_cons + r->nr_slots + 1);
}

static void prod_over_2_31(struct hf *h)
{
	show_req_prod(h, hf_ring(h)->rsp_cons + 0x80000000U);
}

static void prod_back_1(struct hf *h)
{
	show_req_prod(h, hf_ring(h)->req_prod - 1);
}

static void prod_back_ring(struct hf *h)
{
	show_req_prod(h, hf_ring(h)->req_prod - hf_ring(h)->nr_slots);
}

static void ring_of_ones(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);

	memset(r->sring, 0xff, r->nr_pages * XEN_PAGE_SIZE);
	notify_remote_via_irq(r->irq);
}

/*
 * EITHER.
 */

/* Entries appear and are taken back while the back end looks. */
static void prod_flickers(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	for (i = 0; i < r->nr_slots; i++)
		hf_put(r, &req);
	for (i = 0; i < 2000 && !hf_back_in(h, HF_GONE); i++) {
		WRITE_ONCE(r->sring->req_prod, r->req_prod);
		notify_remote_via_irq(r->irq);
		WRITE_ONCE(r->sring->req_prod, r->rsp_cons);
		cond_resched();
	}
	hf_say(h, "flickered %u times", i);
}

/* Never read an answer, go on asking. */
static void answers_ignored(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	unsigned long end;
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	for (i = 0; i < 20; i++) {
		u32 n;

		for (n = 0; n < r->nr_slots; n++)
			hf_put(r, &req);
		hf_publish(r);
		end = jiffies + 10 * HZ;
		while (READ_ONCE(r->sring->rsp_prod) != r->req_prod &&
		       !hf_back_in(h, HF_GONE) && time_before(jiffies, end))
			usleep_range(100, 200);
	}
	hf_say(h, "%u rings of requests, no answer read", i);
}

/* The ring as the target of a read. */
static void ring_as_data(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_request req;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
	req.u.rw.seg[0].gref = r->refs[0];
	hf_put(r, &req);
	hf_publish(r);
	/* What the answer is depends on what the disk held. */
	msleep(300);
	hf_say(h, "read the disk onto the ring");
}

static void revoke_in_flight(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_request req;
	unsigned int i, ended = 0, first = h->nr_extra;

	for (i = 0; i < r->nr_slots; i++) {
		hf_fill_rw(h, &req, BLKIF_OP_READ, 0, 1);
		req.u.rw.seg[0].gref = hf_grant(h, h->pages[0], false);
		hf_put(r, &req);
	}
	hf_publish(r);
	/* Downwards: the last one of extra is always the one to forget. */
	while (h->nr_extra > first &&
	       gnttab_try_end_foreign_access(h->extra[h->nr_extra - 1])) {
		h->nr_extra--;
		ended++;
	}
	hf_say(h, "ended %u of %u grants in flight", ended, r->nr_slots);
	msleep(200);
}

static void ring_revoked_in_use(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);

	/* It is mapped: the attempt fails, but costs nothing to try. */
	hf_say(h, gnttab_try_end_foreign_access(r->refs[0]) ?
	       "the ring was not mapped" : "the ring is in use");
}

static void close_with_requests(struct hf *h)
{
	struct hf_ring *r = hf_ring(h);
	struct blkif_request req;
	unsigned int i;

	hf_fill_rw(h, &req, BLKIF_OP_READ, 0, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	for (i = 0; i < r->nr_slots; i++)
		hf_put(r, &req);
	hf_publish(r);
	hf_say(h, "closing with %u requests in flight", i);
}

static void come_again_unclosed(struct hf *h)
{
	/* As after a crash of the front end alone; hf_reset() closes then. */
	hf_set_state(h, XenbusStateInitialising);
	if (!hf_wait_back(h, HF_STATE(InitWait)))
		hf_fail(h, "the back end stays %s",
			xenbus_strstate(h->back_state));
	hf_say(h, "Initialising out of Connected");
}

static void reannounce(struct hf *h)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		hf_set_state(h, XenbusStateInitialised);
		hf_set_state(h, XenbusStateConnected);
	}
	hf_say(h, "announced a connected ring %u times more", i);
}

/*
 * HANDSHAKE.
 */

static const struct hf_offer honest_offer;

/* Connect with an offer, see what comes of it, close. Return: connected. */
static bool try_offer(struct hf *h, const struct hf_offer *offer)
{
	int err = hf_connect(h, offer);

	if (!err)
		hf_serves(h);
	hf_say(h, "%s", !err ? "accepted" : err == -EIO ? "refused" :
			err == -ETIMEDOUT ? "ignored" : "not tried");
	if (err && err != -EIO && err != -ETIMEDOUT)
		hf_fail(h, "error %d of our own", err);
	hf_reset(h);
	return !err;
}

#define LONG_TEXT_LEN	1500	/* xenstored takes no more than 2048 */

/* One key in every wrong way, one connection each. */
static void try_key(struct hf *h, const struct hf_offer *base,
		    const char *key, u32 may_accept)
{
	static char long_text[LONG_TEXT_LEN + 1];
	const char * const values[] = {
		NULL, "0", "-1", "4294967295", "none", "",
		"99999999999999999999", "%s%n", long_text,
	};
	static const char * const names[] = {
		"absent", "0", "-1", "2^32-1", "text", "empty",
		"10^20", "format", "long",
	};
	unsigned int i;

	memset(long_text, '9', LONG_TEXT_LEN);
	for (i = 0; i < min_t(u32, ARRAY_SIZE(values), h->max_values); i++) {
		struct hf_offer offer = *base;

		offer.key = key;
		offer.value = values[i];
		hf_say(h, "%s%s: ", i ? ", " : "", names[i]);
		if (try_offer(h, &offer) && !(may_accept & BIT(i)))
			hf_fail(h, "accepted %s=%s", key, names[i]);
	}
}

#define VALUE_ABSENT	BIT(0)
#define VALUE_0		BIT(1)
#define VALUE_EMPTY	BIT(5)
#define VALUE_ANY	GENMASK(8, 0)

static void xs_ring_ref(struct hf *h)
{
	try_key(h, &honest_offer, "ring-ref", 0);
}

static void xs_event_channel(struct hf *h)
{
	try_key(h, &honest_offer, "event-channel", 0);
}

static void xs_protocol(struct hf *h)
{
	try_key(h, &honest_offer, "protocol", VALUE_ABSENT | VALUE_EMPTY);
}

static void xs_persistent(struct hf *h)
{
	try_key(h, &honest_offer, "feature-persistent", VALUE_ANY);
}

static void xs_ring_page_order(struct hf *h)
{
	static const char * const values[] = { "5", "31", "32", "64" };
	struct hf_offer offer = { .key = "ring-page-order" };
	unsigned int i;

	try_key(h, &honest_offer, "ring-page-order", VALUE_ABSENT | VALUE_0);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		offer.value = values[i];
		hf_say(h, ", %s: ", values[i]);
		if (try_offer(h, &offer))
			hf_fail(h, "accepted");
	}
}

static void xs_num_queues(struct hf *h)
{
	static const char * const values[] = { "2", "17", "65536" };
	struct hf_offer offer = { .key = "multi-queue-num-queues" };
	unsigned int i;

	try_key(h, &honest_offer, "multi-queue-num-queues", VALUE_ABSENT);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		offer.value = values[i];
		hf_say(h, ", %s: ", values[i]);
		/* Without the queues' keys. */
		if (try_offer(h, &offer))
			hf_fail(h, "accepted");
	}
}

static void xs_ring_refs(struct hf *h)
{
	const struct hf_offer base = { .min_order = 1 };

	try_key(h, &base, "ring-ref1", 0);
}

static void xs_queue_ring_ref(struct hf *h)
{
	const struct hf_offer base = { .min_queues = 2 };

	try_key(h, &base, "ring-ref", 0);
}

static void ring_readonly(struct hf *h)
{
	const struct hf_offer offer = { .ring_readonly = true };

	if (try_offer(h, &offer))
		hf_fail(h, "accepted");
}

static void ring_revoked(struct hf *h)
{
	const struct hf_offer offer = { .ring_revoked = true };

	if (try_offer(h, &offer))
		hf_fail(h, "accepted");
}

static void ring_page_twice(struct hf *h)
{
	const struct hf_offer offer = {
		.ring_page_twice = true, .min_order = 1,
		.last_step = HF_STEP_INITIALISED,
	};

	/* A ring that wraps within itself harms its front end alone. */
	if (hf_connect(h, &offer))
		hf_fail(h, "cannot offer it");
	hf_say(h, hf_wait_back(h, HF_STATE(Connected) | HF_GONE) &&
		  hf_back_in(h, HF_STATE(Connected)) ? "accepted" : "refused");
	hf_reset(h);
}

static void port_closed(struct hf *h)
{
	const struct hf_offer offer = { .port_closed = true };

	if (try_offer(h, &offer))
		hf_fail(h, "accepted");
}

static void port_shared(struct hf *h)
{
	const struct hf_offer offer = { .port_shared = true, .min_queues = 2 };

	/* A port is bound once: the second queue cannot have it. */
	if (try_offer(h, &offer))
		hf_fail(h, "accepted");
}

static void ring_in_use(struct hf *h)
{
	const struct hf_offer offer = { .last_step = HF_STEP_KEYS };
	struct hf_ring *r = &h->rings[0];

	/* Requests before anyone is there: more than the ring can hold. */
	if (hf_connect(h, &offer))
		hf_fail(h, "cannot offer it");
	WRITE_ONCE(r->sring->req_prod, r->nr_slots + 1);
	WRITE_ONCE(r->sring->rsp_prod, 0);
	hf_set_state(h, XenbusStateInitialised);
	hf_wait_back(h, HF_GONE);
	hf_say(h, "%s", hf_back_in(h, HF_GONE) ? "refused" : "accepted");
	if (!hf_back_in(h, HF_GONE))
		hf_fail(h, "accepted");
	hf_reset(h);
}

/* As many queues and ring pages as it gives, all full of requests. */
static void greedy(struct hf *h)
{
	const struct hf_offer offer = {
		.min_queues = HF_MAX_QUEUES, .min_order = 4,
	};
	struct blkif_response rsp;
	struct blkif_request req;
	unsigned int i, n = 0;
	u32 slot;

	if (hf_connect(h, &offer)) {
		hf_fail(h, "no connection");
		return;
	}
	for (i = 0; i < h->nr_queues; i++) {
		struct hf_ring *r = &h->rings[i];

		for (slot = 0; slot < r->nr_slots; slot++) {
			hf_fill_rw(h, &req, BLKIF_OP_READ, 0,
				   BLKIF_MAX_SEGMENTS_PER_REQUEST);
			if (slot % 8 == 0 && h->disk.max_indirect)
				fill_indirect(h, &req, h->disk.max_indirect);
			hf_put(r, &req);
		}
		hf_publish(r);
	}
	for (i = 0; i < h->nr_queues; i++) {
		struct hf_ring *r = &h->rings[i];

		for (slot = 0; slot < r->nr_slots; slot++) {
			if (hf_wait_response(h, r, &rsp)) {
				hf_fail(h, "queue %u answered %u of %u", i,
					slot, r->nr_slots);
				return;
			}
			if (rsp.status != BLKIF_RSP_OKAY)
				hf_fail(h, "status %d", rsp.status);
			n++;
		}
	}
	hf_say(h, "%u queues of %u slots, %u requests answered", h->nr_queues,
	       h->rings[0].nr_slots, n);
	hf_reset(h);
}

static void states_all(struct hf *h)
{
	unsigned int from, s, n = 0;

	for (from = 0; from < 2; from++) {
		for (s = XenbusStateInitialising; s <= 9; s++) {
			if (from && hf_connect(h, &honest_offer)) {
				hf_fail(h, "no connection before state %u", s);
				return;
			}
			hf_set_state(h, s);
			msleep(20);
			if (hf_reset(h))
				return;
			n++;
		}
	}
	hf_say(h, "%u jumps, from InitWait and from Connected", n);
}

static void states_walk(struct hf *h)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		hf_set_state(h, 1 + hf_random(h) % 8);
		if (hf_random(h) % 4 == 0)
			msleep(1 + hf_random(h) % 10);
	}
	hf_say(h, "%u random states", i);
	hf_reset(h);
}

static void reconnect(struct hf *h)
{
	unsigned int i;

	for (i = 0; i < h->rounds; i++) {
		if (hf_connect(h, &honest_offer)) {
			hf_fail(h, "no connection the %u. time", i + 1);
			return;
		}
		if (hf_reset(h))
			return;
	}
	hf_say(h, "connected %u times", i);
}

/* The same without ever waiting for the back end. */
static void reconnect_hasty(struct hf *h)
{
	const struct hf_offer offer = { .last_step = HF_STEP_INITIALISED };
	unsigned int i;

	for (i = 0; i < h->rounds; i++) {
		if (hf_connect(h, &offer)) {
			hf_fail(h, "cannot offer it");
			return;
		}
		hf_set_state(h, XenbusStateClosed);
		/* It may be mapping just now: what it has it must give back,
		 * but not at once.
		 */
		hf_free_all(h, false);
		hf_set_state(h, XenbusStateInitialising);
	}
	hf_say(h, "came and went %u times without waiting", i);
	hf_reset(h);
}

/* Vanish at each step, with no word, and come again as from nothing. */
static void vanish(struct hf *h)
{
	unsigned int step;

	for (step = HF_STEP_RINGS; step <= HF_STEPS; step++) {
		const struct hf_offer offer = {
			.last_step = step < HF_STEPS ? step : 0,
		};

		if (hf_connect(h, &offer)) {
			hf_fail(h, "cannot get to step %u", step);
			return;
		}
		hf_free_all(h, false);
		hf_set_state(h, XenbusStateInitialising);
		if (!hf_wait_back(h, HF_STATE(InitWait))) {
			hf_fail(h, "the back end stays %s after step %u",
				xenbus_strstate(h->back_state), step);
			return;
		}
		/* It may only now try to map what has vanished. */
		msleep(20);
		if (hf_reset(h))
			return;
	}
	hf_say(h, "vanished at each of %u steps", HF_STEPS);
}

/*
 * SUICIDE.
 */

static void state_unknown(struct hf *h)
{
	hf_set_state(h, XenbusStateUnknown);
	hf_free_all(h, false);
	hf_say(h, "gave itself up");
}

static void state_text(struct hf *h)
{
	xenbus_write(XBT_NIL, h->xdev->nodename, "state", "%n is no state");
	hf_free_all(h, false);
	hf_say(h, "gave itself up");
}

/*
 * The catalogue.
 */
#define REFUSE(n, f, st, need, w) { .name = n, .kind = REFUSED, .what = w, \
	.forge = f, .status = BLKIF_RSP_##st, .needs = need }
#define REFUSE_GRANT(n, f, need, w) { .name = n, .kind = REFUSED, \
	.what = w, .forge = f, .status = BLKIF_RSP_ERROR, .needs = need, \
	.grant = true }
#define RUN(n, k, r, need, w) { .name = n, .kind = k, .what = w, .run = r, \
	.needs = need }

static const struct hf_attack hf_attacks[] = {
	REFUSE("op-unknown", op_unknown, EOPNOTSUPP, 0,
	       "an operation that there is not"),
	REFUSE("op-reserved", op_reserved, EOPNOTSUPP, 0,
	       "the reserved operation 4"),
	REFUSE("segs-none-read", segs_none, ERROR, 0,
	       "a read of no segments"),
	REFUSE("segs-none-write", segs_none_write, ERROR, 0,
	       "a write of no segments"),
	REFUSE("segs-12", segs_12, ERROR, 0,
	       "one segment more than a request has room for"),
	REFUSE("segs-255", segs_255, ERROR, 0, "255 segments"),
	REFUSE("segs-255-flush", segs_255_flush, ERROR, 0,
	       "a flush with 255 segments"),
	REFUSE("sect-swapped", sect_swapped, ERROR, 0,
	       "first_sect after last_sect"),
	REFUSE("sect-8", sect_8, ERROR, 0,
	       "a segment one sector longer than its page"),
	REFUSE("sect-255", sect_255, ERROR, 0,
	       "a segment far beyond its page"),
	REFUSE("sector-at-end", sector_at_end, ERROR, 0,
	       "the first sector beyond the disk"),
	REFUSE("sector-over-end", sector_over_end, ERROR, 0,
	       "a read that begins on the disk and ends beyond"),
	REFUSE("sector-over-end-write", sector_over_end_write, ERROR, 0,
	       "the same as a write"),
	REFUSE("sector-wraps", sector_wraps, ERROR, 0,
	       "sector and length add up to 2^64"),
	REFUSE("sector-wraps-bytes", sector_wraps_bytes, ERROR, 0,
	       "a sector whose byte offset is 2^64"),
	REFUSE("sector-sign", sector_sign, ERROR, 0, "sector 2^63"),
	REFUSE("block-offset", block_offset, ERROR, NEEDS_BLOCKS,
	       "a sector within a logical block"),
	REFUSE("block-length", block_length, ERROR, NEEDS_BLOCKS,
	       "a part of a logical block"),
	REFUSE("block-halves", block_halves, ERROR, NEEDS_BLOCKS,
	       "a logical block in two segments"),
	REFUSE_GRANT("gref-zero", gref_zero, 0, "grant reference 0"),
	REFUSE_GRANT("gref-huge", gref_huge, 0, "grant reference 2^32-1"),
	REFUSE_GRANT("gref-not-granted", gref_not_granted, 0,
	       "a reference that grants nothing"),
	REFUSE_GRANT("gref-second-bad", gref_second_bad, 0,
	       "one good reference and one bad"),
	REFUSE_GRANT("gref-readonly", gref_readonly, 0,
	       "a read into a page granted read-only"),
	REFUSE("write-readonly-disk", write_readonly_disk, ERROR,
	       NEEDS_READONLY, "a write to a read-only disk"),
	REFUSE("flush-readonly-disk", flush_write_readonly_disk, ERROR,
	       NEEDS_READONLY, "a flush with data to a read-only disk"),
	REFUSE("discard-not-offered", discard_not_offered, EOPNOTSUPP,
	       NEEDS_NO_DISCARD, "a discard on a disk that offers none"),
	REFUSE("discard-beyond", discard_beyond, ERROR,
	       NEEDS_DISCARD | NEEDS_WRITABLE, "a discard beyond the disk"),
	REFUSE("discard-over-end", discard_over_end, ERROR,
	       NEEDS_DISCARD | NEEDS_WRITABLE, "a discard over the disk's end"),
	REFUSE("discard-wraps", discard_wraps, ERROR,
	       NEEDS_DISCARD | NEEDS_WRITABLE,
	       "a discard whose length wraps it to its start"),
	REFUSE("discard-wraps-start", discard_wraps_start, ERROR,
	       NEEDS_DISCARD | NEEDS_WRITABLE,
	       "a discard that wraps from 2^64 to the disk's start"),
	REFUSE("discard-wraps-bytes", discard_wraps_bytes, ERROR,
	       NEEDS_DISCARD | NEEDS_WRITABLE,
	       "a discard whose byte offset is 2^64"),
	REFUSE("indirect-not-offered", indirect_not_offered, EOPNOTSUPP,
	       NEEDS_NO_INDIRECT, "an indirect request where none is offered"),
	REFUSE("indirect-segs-none", indirect_segs_none, ERROR, NEEDS_INDIRECT,
	       "an indirect request of no segments"),
	REFUSE("indirect-segs-over", indirect_segs_over, ERROR, NEEDS_INDIRECT,
	       "one indirect segment more than is offered"),
	REFUSE("indirect-segs-65535", indirect_segs_65535, ERROR,
	       NEEDS_INDIRECT, "65535 indirect segments"),
	REFUSE("indirect-bad-gref", indirect_bad_gref, ERROR, NEEDS_INDIRECT,
	       "descriptors behind a bad reference"),
	REFUSE("indirect-gref-not-granted", indirect_gref_not_granted, ERROR,
	       NEEDS_INDIRECT, "descriptors behind a reference to nothing"),
	REFUSE("indirect-nested", indirect_nested, EOPNOTSUPP, NEEDS_INDIRECT,
	       "an indirect request within an indirect one"),
	REFUSE("indirect-flush", indirect_flush, EOPNOTSUPP, NEEDS_INDIRECT,
	       "an indirect flush"),
	REFUSE("indirect-discard", indirect_discard, EOPNOTSUPP,
	       NEEDS_INDIRECT, "an indirect discard"),
	REFUSE("indirect-op-unknown", indirect_op_unknown, EOPNOTSUPP,
	       NEEDS_INDIRECT, "an unknown operation, indirect"),
	REFUSE("indirect-sect-8", indirect_sect_8, ERROR, NEEDS_INDIRECT,
	       "the last of 16 descriptors is longer than its page"),
	REFUSE("indirect-sect-swapped", indirect_sect_swapped, ERROR,
	       NEEDS_INDIRECT, "the last descriptor ends before it begins"),
	REFUSE_GRANT("indirect-seg-bad-gref", indirect_seg_bad_gref,
		     NEEDS_INDIRECT, "the last descriptor has a bad reference"),
	REFUSE("indirect-over-end", indirect_over_end, ERROR, NEEDS_INDIRECT,
	       "an indirect read over the disk's end"),
	REFUSE("indirect-sector-wraps", indirect_sector_wraps, ERROR,
	       NEEDS_INDIRECT, "an indirect read that wraps 2^64"),

	RUN("honest", ANSWERED, honest, 0, "nothing wrong, for comparison"),
	RUN("id-all-same", ANSWERED, same_id, 0,
	    "a ring full of requests with one id"),
	RUN("id-all-ones", ANSWERED, id_pattern, 0, "the id 2^64-1"),
	RUN("handle-wrong", ANSWERED, wrong_handle, 0, "another disk's handle"),
	RUN("flush-with-data", ANSWERED, flush_with_data, NEEDS_WRITABLE,
	    "flushes that carry data"),
	RUN("barrier-with-data", ANSWERED, barrier_with_data, NEEDS_WRITABLE,
	    "barriers that carry data"),
	RUN("flush-far-away", ANSWERED, flush_far_away, 0,
	    "a flush with a sector beyond everything"),
	RUN("discard-nothing", ANSWERED, discard_nothing, NEEDS_DISCARD,
	    "a discard of no sectors"),
	RUN("discard-unaligned", ANSWERED, discard_unaligned, NEEDS_DISCARD,
	    "a discard of odd sectors"),
	RUN("discard-secure", ANSWERED, discard_secure, NEEDS_DISCARD,
	    "a discard with all flags set"),
	RUN("gref-all-same", ANSWERED, gref_all_same, 0,
	    "one reference in all segments of 8 requests"),
	RUN("gref-page-many-times", ANSWERED, gref_page_many_times, 0,
	    "one page under 11 references"),
	RUN("gref-readonly-write", ANSWERED, gref_readonly_write,
	    NEEDS_WRITABLE, "a write from a page granted read-only"),
	RUN("gref-revoked", ANSWERED, gref_revoked, 0,
	    "a reference used once, then revoked, then used again"),
	RUN("gref-flood", ANSWERED, gref_flood, 0,
	    "3300 references, none twice"),
	RUN("rsp-prod-scribbled", ANSWERED, rsp_prod_scribbled, 0,
	    "the back end's own index overwritten"),
	RUN("event-indices", ANSWERED, event_indices, 0,
	    "event indices of every kind"),
	RUN("bell-storm", ANSWERED, bell_storm, 0,
	    "a second of notifications without work"),
	RUN("bell-storm-work", ANSWERED, bell_storm_work, 0,
	    "50 notifications a request"),
	RUN("request-flood", ANSWERED, request_flood, 0,
	    "a second with the ring full"),
	RUN("race-nr-segments", ANSWERED, race_nr_segments, 0,
	    "nr_segments changes while it is read"),
	RUN("race-last-sect", ANSWERED, race_last_sect, 0,
	    "last_sect changes while it is read"),
	RUN("race-gref", ANSWERED, race_gref, 0,
	    "a reference changes while it is read"),
	RUN("race-indirect-last-sect", ANSWERED, race_indirect_last_sect,
	    NEEDS_INDIRECT, "a descriptor's end changes while it is read"),
	RUN("race-indirect-first-sect", ANSWERED, race_indirect_first_sect,
	    NEEDS_INDIRECT, "a descriptor's start changes while it is read"),
	RUN("race-indirect-gref", ANSWERED, race_indirect_gref,
	    NEEDS_INDIRECT, "a descriptor's reference changes while it is read"),
	RUN("indirect-onto-itself", ANSWERED, indirect_onto_itself,
	    NEEDS_INDIRECT, "a read onto its own descriptors"),
	RUN("indirect-max", ANSWERED, indirect_max, NEEDS_INDIRECT,
	    "as many indirect segments as are offered, of 16 pages"),
	RUN("device-error", ANSWERED, device_error, NEEDS_BLOCKS,
	    "the device fails a read (of its last block; see README.md)"),
	RUN("partial-page", ANSWERED, partial_page,
	    NEEDS_WRITABLE | NEEDS_SMALL_BLOCKS,
	    "three sectors of a page: no byte beside them changes"),

	RUN("prod-over-1", BREACH, prod_over_1, 0,
	    "one request more than the ring has slots"),
	RUN("prod-over-2^31", BREACH, prod_over_2_31, 0,
	    "2^31 requests at once"),
	RUN("prod-back-1", BREACH, prod_back_1, 0,
	    "the producer index runs back by 1"),
	RUN("prod-back-ring", BREACH, prod_back_ring, 0,
	    "the producer index runs back by a ring"),
	RUN("ring-of-ones", BREACH, ring_of_ones, 0,
	    "every bit of the ring set"),

	RUN("prod-flickers", EITHER, prod_flickers, 0,
	    "requests are announced and withdrawn 2000 times"),
	RUN("answers-ignored", EITHER, answers_ignored, 0,
	    "20 rings of requests, and no answer read"),
	RUN("ring-as-data", EITHER, ring_as_data, 0, "a read onto the ring"),
	RUN("revoke-in-flight", EITHER, revoke_in_flight, 0,
	    "grants end while their requests are executed"),
	RUN("ring-revoke", EITHER, ring_revoked_in_use, 0,
	    "the ring's grant ends while it is mapped"),
	RUN("close-with-requests", EITHER, close_with_requests, 0,
	    "Closed with the ring full of requests"),
	RUN("come-again-unclosed", EITHER, come_again_unclosed, 0,
	    "Initialising out of Connected"),
	RUN("reannounce", EITHER, reannounce, 0,
	    "Initialised and Connected, 20 times more"),

	RUN("xs-ring-ref", HANDSHAKE, xs_ring_ref, 0,
	    "ring-ref absent, empty, 0, negative, huge, no number, 1500 bytes"),
	RUN("xs-event-channel", HANDSHAKE, xs_event_channel, 0,
	    "event-channel likewise"),
	RUN("xs-protocol", HANDSHAKE, xs_protocol, 0, "protocol likewise"),
	RUN("xs-feature-persistent", HANDSHAKE, xs_persistent, 0,
	    "feature-persistent likewise"),
	RUN("xs-ring-page-order", HANDSHAKE, xs_ring_page_order, 0,
	    "ring-page-order likewise, and more than was offered"),
	RUN("xs-num-queues", HANDSHAKE, xs_num_queues, 0,
	    "multi-queue-num-queues likewise, and more than was offered"),
	RUN("xs-ring-ref1", HANDSHAKE, xs_ring_refs, NEEDS_RING_PAGES,
	    "the second ring page's reference likewise"),
	RUN("xs-queue-ring-ref", HANDSHAKE, xs_queue_ring_ref, NEEDS_QUEUES,
	    "a queue's ring-ref likewise"),
	RUN("ring-readonly", HANDSHAKE, ring_readonly, 0,
	    "a ring granted read-only"),
	RUN("ring-revoked", HANDSHAKE, ring_revoked, 0,
	    "a ring whose grant has ended"),
	RUN("ring-page-twice", HANDSHAKE, ring_page_twice, NEEDS_RING_PAGES,
	    "one page as both pages of a ring"),
	RUN("ring-in-use", HANDSHAKE, ring_in_use, 0,
	    "more requests than slots before the connection"),
	RUN("port-closed", HANDSHAKE, port_closed, 0,
	    "an event channel that is closed"),
	RUN("port-shared", HANDSHAKE, port_shared, NEEDS_QUEUES,
	    "one event channel for two queues"),
	RUN("greedy", HANDSHAKE, greedy, NEEDS_RING_PAGES | NEEDS_QUEUES,
	    "all queues and ring pages that there are, full of requests"),
	RUN("states-all", HANDSHAKE, states_all, 0,
	    "every state out of InitWait and Connected"),
	RUN("states-walk", HANDSHAKE, states_walk, 0, "100 random states"),
	RUN("reconnect", HANDSHAKE, reconnect, 0,
	    "50 connections in quick succession"),
	RUN("reconnect-hasty", HANDSHAKE, reconnect_hasty, 0,
	    "50 more without waiting for the back end"),
	RUN("vanish", HANDSHAKE, vanish, 0,
	    "dies without a word at each step of the handshake"),

	RUN("state-unknown", SUICIDE, state_unknown, 0, "state 0"),
	RUN("state-text", SUICIDE, state_text, 0, "a state that is no number"),
};

static unsigned int hf_lacks(struct hf *h, unsigned int needs)
{
	const char *back = h->xdev->otherend;
	struct hf_disk *d = &h->disk;
	unsigned int has = 0;

	has |= d->block_sectors > 1 ? NEEDS_BLOCKS : NEEDS_SMALL_BLOCKS;
	has |= d->info & VDISK_READONLY ? NEEDS_READONLY : NEEDS_WRITABLE;
	has |= d->discard ? NEEDS_DISCARD : NEEDS_NO_DISCARD;
	has |= d->max_indirect ? NEEDS_INDIRECT : NEEDS_NO_INDIRECT;
	if (xenbus_read_unsigned(back, "max-ring-page-order", 0))
		has |= NEEDS_RING_PAGES;
	if (xenbus_read_unsigned(back, "multi-queue-max-queues", 1) > 1)
		has |= NEEDS_QUEUES;
	return needs & ~has;
}

/* Connect as an honest front end would, unless we are connected. */
static int hf_be_connected(struct hf *h)
{
	int err;

	if (h->connected && hf_back_in(h, HF_STATE(Connected)))
		return 0;
	err = hf_reset(h);
	if (!err)
		err = hf_connect(h, &honest_offer);
	if (err)
		hf_fail(h, "no connection: %d", err);
	return err;
}

static void hf_execute(struct hf *h, const struct hf_attack *a)
{
	if (a->kind == HANDSHAKE && hf_reset(h))
		return;
	if (a->kind == REFUSED)
		run_refused(h, a);
	else
		a->run(h);

	switch (a->kind) {
	case REFUSED:
	case ANSWERED:
		if (!h->ctl.failed)
			hf_serves(h);
		/* What was granted for the attack alone is to come back; and a
		 * back end may limit the rate of its complaints by connection:
		 * if each refusal has its own, each is to be seen.
		 */
		if ((a->kind == REFUSED && h->fresh) || h->nr_extra)
			hf_reset(h);
		break;
	case SUICIDE:
		return;
	case BREACH:
		if (!hf_wait_back(h, HF_GONE))
			hf_fail(h, "the back end did not close the disk");
		else
			hf_say(h, "closed");
		hf_reset(h);
		break;
	default:
		hf_say(h, ", then %s", xenbus_strstate(h->back_state));
		hf_reset(h);
		break;
	}
	/* However it went: a proper front end is served. */
	if (!hf_be_connected(h))
		hf_serves(h);
}

void hf_list(struct seq_file *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hf_attacks); i++)
		seq_printf(m, "%s %s %s\n", hf_attacks[i].name,
			   hf_kind_names[hf_attacks[i].kind],
			   hf_attacks[i].what);
}

int hf_attack(struct hostile_ctl *ctl, const char *name)
{
	struct hf *h = container_of(ctl, struct hf, ctl);
	const struct hf_attack *a = hf_attacks;
	const char *verdict = "survived";
	unsigned int lacks;

	while (strcmp(a->name, name))
		if (++a == hf_attacks + ARRAY_SIZE(hf_attacks))
			return -ENOENT;
	if (!h->xdev)
		return -ENODEV;

	if (!hf_be_connected(h)) {
		lacks = hf_lacks(h, a->needs);
		if (lacks) {
			verdict = "inapplicable";
			hf_say(h, "needs %s", needs_names[__ffs(lacks)]);
		} else {
			hf_execute(h, a);
		}
	}
	hostile_verdict(ctl, ctl->failed ? "FAILED" : verdict, name);
	return 0;
}
