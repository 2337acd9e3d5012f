#include "storage/api/index_proto.h"

#include "common/crypto/digest.h"

static const struct ipc_field job[] = {
	IPC_U8(index_job_rq, kind, INDEX_HASH, INDEX_DIGEST),
	IPC_U32(index_job_rq, text_max), IPC_BOOL(index_job_rq, extract), IPC_END };
static const struct ipc_field piece[] = {
	IPC_STR(index_piece, data, 1, INDEX_PIECE_BYTES), IPC_BOOL(index_piece, last), IPC_END };
static const struct ipc_field hash_is[] = {
	IPC_U64(index_hash_is, size), IPC_STR(index_hash_is, sha256, SHA256_LEN, SHA256_LEN),
	IPC_END };
static const struct ipc_field text[] = {
	IPC_U8(index_text, of, INDEX_TEXT_CANONICAL, INDEX_TEXT_EXTRACTED),
	IPC_STR(index_text, data, 1, INDEX_TEXT_BYTES), IPC_END };
static const struct ipc_field digest_is[] = {
	IPC_U64(index_digest_is, size), IPC_STR(index_digest_is, sha256, SHA256_LEN, SHA256_LEN),
	IPC_STR(index_digest_is, list, 0, STORE_CACHE_MAX),
	IPC_STR(index_digest_is, structure, 0, STORE_CACHE_MAX),
	IPC_STR(index_digest_is, columns, 0, STORE_COLUMN_BYTES_MAX),
	IPC_STR(index_digest_is, thread_keys, 0, STORE_THREAD_KEYS_MAX * 8),
	IPC_U64(index_digest_is, subject_hash), IPC_U8(index_digest_is, text_version, 0, 255),
	IPC_BOOL(index_digest_is, text_cut), IPC_U32(index_digest_is, extracted),
	IPC_U32(index_digest_is, failed), IPC_U32(index_digest_is, text_header), IPC_END };

#define OF(type, fields) sizeof(struct type), fields

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	{ INDEX_JOB, "job", INDEX_PEER_STORED, 0, 32, OF(index_job_rq, job) },
	{ INDEX_PIECE, "piece", INDEX_PEER_STORED, IPC_MSG_SECRET, INDEX_PIECE_BYTES + 32,
	    OF(index_piece, piece) },
	{ INDEX_HASH_IS, "hash-is", 0, IPC_MSG_REPLY, 64, OF(index_hash_is, hash_is) },
	{ INDEX_TEXT, "text", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, INDEX_TEXT_BYTES + 32,
	    OF(index_text, text) },
	{ INDEX_DIGEST_IS, "digest-is", 0, IPC_MSG_REPLY | IPC_MSG_SECRET,
	    2 * STORE_CACHE_MAX + STORE_COLUMN_BYTES_MAX + 1024, OF(index_digest_is, digest_is) },
	{ 0 }
};

const struct ipc_protocol index_protocol = {
	"index", INDEX_PROTO_MAJOR, INDEX_PROTO_MINOR, messages
};
