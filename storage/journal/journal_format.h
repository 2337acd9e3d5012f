/* storage/journal/journal_format.h
 * The bytes of a journal.  All numbers are big-endian.
 *
 * A journal is a folder with
 *	0000000001.seg ...	segments, numbered from 1, never twice
 *	mark			two slots of 4 KiB, written in turn
 *	free-0000000001		a released segment's file, waiting for its next life
 *	new.tmp			a segment being made
 *	lock			held by who writes
 *
 * Segment, `bytes` long:
 *	header, 4096 bytes:  "MANSIOSG", version u32, shard u32, segment u32, bytes u32,
 *	    generation u64, first LSN u64, salt u64, first tick u64, zeros, CRC-32C of all before u32
 *	ticks, each at a multiple of 512, each following the last without a gap
 * The header is written together with the segment's first tick, when everything in
 * the segment before is durable.  A file made ahead, or one of an earlier life, has
 * no valid header for its number.  generation rises with every life of any file.
 *
 * Tick: a run of records, the first a header, `bytes` long, a multiple of 512:
 *	JOURNAL_TICK	payload: salt u64, generation u64, tick u64, last LSN u64,
 *			durable LSN u64 when it was written, segment u32, bytes u32,
 *			records u32 (header and pad not counted), zero u32;
 *			its LSN is that of the first record
 *	records		LSNs rise by one, through all ticks and segments
 *	JOURNAL_PAD	zeros, when the records do not end at a multiple of 512;
 *			its LSN is that of the last record
 * So no sector that is durable is ever written again.
 *
 * Record: length of the payload u32, CRC-32C over the rest of the header and the
 * payload u32, LSN u64, account u64, epoch u32, type u8, zeros u8 u16; payload.
 *
 * Mark slot: "MANSIOMK", version u32, shard u32, sequence u64, salt u64, durable
 * LSN u64, zeros, CRC-32C of all before u32.
 *
 * The salt is random and the same in all of a journal.  Nobody outside can know it,
 * so no mail can hold bytes that look like a tick: what scans for ticks behind a torn
 * end needs that. */
#ifndef STORAGE_JOURNAL_JOURNAL_FORMAT_H
#define STORAGE_JOURNAL_JOURNAL_FORMAT_H

#include "storage/journal/journal.h"

#define JOURNAL_VERSION		1
#define JOURNAL_BLOCK		4096u	/* segment header, mark slot */
#define JOURNAL_SECTOR		512u
#define JOURNAL_RECORD_HDR	32u
#define JOURNAL_TICK_HDR	(JOURNAL_RECORD_HDR + 56u)

struct jf_segment {
	uint32_t	version, shard, segment, bytes;
	uint64_t	generation, first_lsn, salt, first_tick;
};

struct jf_mark {
	uint32_t	version, shard;
	uint64_t	sequence, salt, durable;
};

struct jf_record {
	uint32_t	length, crc, epoch;
	uint64_t	lsn, account;
	uint8_t		type;
};

struct jf_tick {
	uint64_t	salt, generation, tick, first_lsn, last_lsn, durable;
	uint32_t	segment, bytes, records;
};

/* get: false when it is not one (magic, CRC, impossible numbers). */
void jf_segment_put(char p[JOURNAL_BLOCK], const struct jf_segment *h);
bool jf_segment_get(const char p[JOURNAL_BLOCK], struct jf_segment *h);
void jf_mark_put(char p[JOURNAL_BLOCK], const struct jf_mark *m);
bool jf_mark_get(const char p[JOURNAL_BLOCK], struct jf_mark *m);
/* h->crc is filled in from the header and the payload's pieces. */
void jf_record_put(char p[JOURNAL_RECORD_HDR], struct jf_record *h,
    const struct iovec *iov, int n);
/* Header only: length within JOURNAL_RECORD_MAX, known type, zeros where zeros are. */
bool jf_record_get(const char p[JOURNAL_RECORD_HDR], struct jf_record *h);
bool jf_record_check(const char p[JOURNAL_RECORD_HDR], const struct jf_record *h,
    const void *payload);
void jf_tick_put(char p[JOURNAL_TICK_HDR], const struct jf_tick *t);
bool jf_tick_get(const char p[JOURNAL_TICK_HDR], struct jf_tick *t);
/* Bytes of a tick whose header and records take n, its pad included. */
uint64_t jf_tick_padded(uint64_t n);

#endif
