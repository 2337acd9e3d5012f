/* Emails.  'm' and a message: what is told of it is one JSON text, the same however it was cut.  'c' and
 * an Email to create: refused, or a message that is told of.  'i' and the id of a blob: none, or
 * written again it is the same. */
#include <assert.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/mail/blob_id.h"
#include "t/unit/jmapd/email/compose_text.h"
#include "t/unit/jmapd/email/email_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
tell(struct span message)
{
	struct email_text t = { .text = true, .html = true, .all = true, .max = message.len % 50,
	    .properties = "[\"messageId\",\"inReplyTo\",\"references\",\"sender\",\"from\",\"to\",\"cc\","
	    "\"bcc\",\"replyTo\",\"subject\",\"sentAt\",\"preview\",\"hasAttachment\",\"headers\","
	    "\"bodyStructure\",\"textBody\",\"htmlBody\",\"attachments\",\"bodyValues\",\"header:X\","
	    "\"header:X:asText:all\",\"header:X:asAddresses:all\",\"header:X:asGroupedAddresses:all\","
	    "\"header:X:asMessageIds:all\",\"header:X:asDate:all\",\"header:X:asURLs:all\"]",
	    .body_properties = "[\"partId\",\"blobId\",\"size\",\"name\",\"type\",\"charset\","
	    "\"disposition\",\"cid\",\"language\",\"location\",\"subParts\",\"headers\","
	    "\"header:Content-Type:asText\"]" };
	struct buf whole = { 0 }, cut = { 0 };
	struct json_doc *doc = NULL;
	enum status st;

	email_text(message, &t, &whole);
	t.piece = 1 + message.len / 3;
	email_text(message, &t, &cut);
	assert(span_eq(buf_span(&whole), buf_span(&cut)));
	st = json_parse(buf_span(&whole), SIZE_MAX, &doc);
	/* Deeper than our own reader goes: parts within parts. */
	assert(st == ST_OK || strstr(buf_cstr(&whole), "subParts\":[{") != NULL);
	json_free(&doc);
	buf_fini(&whole);
	buf_fini(&cut);
}

static void
compose(struct span email)
{
	struct json_doc *doc = NULL;
	struct buf message = { 0 };

	if (json_parse(email, 1 << 20, &doc) == ST_OK &&
	    compose_text(email, SPAN_LIT("Subject: x\n\n\xff" "blob\r\n"), &message))
		tell(buf_span(&message));
	json_free(&doc);
	buf_fini(&message);
}

static void
id(struct span text)
{
	struct buf again = { 0 };
	struct blob_id blob;

	if (blob_id_parse(text, &blob)) {
		blob_id_put(&again, &blob);
		assert(span_eq(text, buf_span(&again)));
	}
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;

	if (size == 0)
		return 0;
	in = span(data + 1, size - 1);
	if (data[0] == 'c')
		compose(in);
	else if (data[0] == 'i')
		id(in);
	else
		tell(in);
	return 0;
}
