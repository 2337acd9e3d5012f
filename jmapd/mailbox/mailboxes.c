#include "jmapd/mailbox/mailboxes.h"

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "jmapd/core/ids.h"

const char *const mailbox_properties[MAILBOX_PROPERTIES] = {
	"id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails",
	"totalThreads", "unreadThreads", "myRights", "isSubscribed"
};

/* ---- loading ---- */

static void
add_row(struct mailboxes *m, const struct store_mailbox *s)
{
	struct arena *arena = m->call->arena;
	struct mailbox_row *r;
	struct span parent = mailbox_name_parent(s->path);

	if (s->id == 0)
		return;
	if (m->count == m->room) {
		m->room = m->room * 2 + 16;
		m->rows = mem_realloc_array(m->rows, m->room, sizeof(*m->rows));
	}
	r = &m->rows[m->count++];
	*r = (struct mailbox_row){ .id = s->id, .path = arena_span(arena, s->path),
		.role = s->role, .order = s->order, .rights = s->rights,
		.subscribed = s->subscribed, .inbox = mailbox_name_is_inbox(s->path),
		.has_children = s->has_children };
	r->name = r->inbox ? SPAN_LIT("Inbox") : parent.len == 0 ? r->path :
	    span_sub(r->path, parent.len + 1, r->path.len);
	if (r->inbox)
		r->role = MAILBOX_ROLE_INBOX;
}

/* The rows do not move any more. */
static void
link_rows(struct mailboxes *m)
{
	for (size_t i = 0; i < m->count; i++) {
		table_put_u64(&m->by_id, m->rows[i].id, &m->rows[i]);
		table_put(&m->by_path, m->rows[i].path, &m->rows[i]);
		if (m->rows[i].role == MAILBOX_ROLE_TRASH)
			m->trash = m->rows[i].id;
	}
	for (size_t i = 0; i < m->count; i++) {
		const struct mailbox_row *up = table_get(&m->by_path,
		    mailbox_name_parent(m->rows[i].path));

		m->rows[i].parent = up != NULL ? up->id : 0;
	}
}

static void
part_ready(struct mailboxes *m)
{
	if (--m->waiting == 0)
		m->ready(m->call);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct mailboxes *m = arg;
	const struct store_mailboxes *is = msg;
	struct store_mailbox box;
	struct reader r;

	if (!more)
		m->list_call = NULL;
	if (st != ST_OK) {
		jmap_call_status(m->call, st, "reading the mailboxes");
		return;
	}
	if (is != NULL) {
		reader_init(&r, is->list.p, is->list.len);
		while (reader_left(&r) > 0 && get_store_mailbox(&r, &box))
			add_row(m, &box);
	}
	if (more)
		return;
	link_rows(m);
	part_ready(m);
}

static void
on_mirror(void *arg, enum status st)
{
	struct mailboxes *m = arg;

	m->mirror_call = NULL;
	if (st != ST_OK)
		jmap_call_status(m->call, st, "counting messages");
	else
		part_ready(m);
}

/* The state is older than what it is the state of: the mirror is asked after it. */
static void
on_states(void *arg, enum status st, bool more, const void *msg)
{
	struct mailboxes *m = arg;
	const struct store_states_are *is = msg;

	m->states_call = NULL;
	if (st != ST_OK || is == NULL) {
		jmap_call_status(m->call, st, "reading the state of the mailboxes");
		return;
	}
	m->state = (struct type_state){ .modseq = is->mailbox, .incarnation = is->incarnation };
	if (m->counts)
		m->mirror_call = mirror_fresh(jmap_call_mirror(m->call), on_mirror, m);
	else
		part_ready(m);
}

void
mailboxes_load(struct mailboxes *m, struct jmap_call *c, bool counts,
    void (*ready)(struct jmap_call *c))
{
	m->call = c;
	m->ready = ready;
	m->counts = counts;
	m->waiting = 2;
	m->states_call = store_do_states(c->account->store, on_states, m);
	m->list_call = store_do_list(c->account->store, &(struct store_list){ .path = SPAN_NONE },
	    on_list, m);
}

void
mailboxes_fini(struct mailboxes *m)
{
	if (m->states_call != NULL)
		store_cancel(&m->states_call);
	if (m->list_call != NULL)
		store_cancel(&m->list_call);
	if (m->mirror_call != NULL)
		mirror_cancel(&m->mirror_call);
	table_fini(&m->by_id, NULL, NULL);
	table_fini(&m->by_path, NULL, NULL);
	mem_free(&m->rows);
}

const struct mailbox_row *
mailboxes_get(const struct mailboxes *m, uint64_t id)
{
	return table_get_u64(&m->by_id, id);
}

const struct mailbox_row *
mailboxes_find(const struct mailboxes *m, struct span text)
{
	uint64_t id;

	return object_id_parse(text, OBJECT_MAILBOX, &id) ? mailboxes_get(m, id) : NULL;
}

/* ---- writing ---- */

bool
mailbox_role_read(struct span text, enum mailbox_role *role)
{
	*role = MAILBOX_ROLE_NONE;
	if (text.p == NULL)
		return true;
	for (int r = MAILBOX_ROLE_NONE + 1; r <= MAILBOX_ROLE_MAX; r++) {
		if (span_eq_str(text, mailbox_role_name((enum mailbox_role)r))) {
			*role = (enum mailbox_role)r;
			return true;
		}
	}
	return false;
}

void
mailbox_put_rights(struct json_writer *w, const struct mailbox_row *r)
{
	const uint32_t has = r->rights;
	const struct {
		const char	*name;
		uint32_t	needs;
		bool		not_inbox;
	} rights[] = {
		{ "mayReadItems", RIGHT_LOOKUP | RIGHT_READ, false },
		{ "mayAddItems", RIGHT_INSERT, false },
		{ "mayRemoveItems", RIGHT_DELETE_MSG | RIGHT_EXPUNGE, false },
		{ "maySetSeen", RIGHT_SEEN, false }, { "maySetKeywords", RIGHT_WRITE, false },
		{ "mayCreateChild", RIGHT_CREATE, false }, { "mayRename", RIGHT_DELETE_MAILBOX, true },
		{ "mayDelete", RIGHT_DELETE_MAILBOX, true }, { "maySubmit", RIGHT_POST, false },
	};

	json_begin_object(w);
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		json_kv_bool(w, rights[i].name, (has & rights[i].needs) == rights[i].needs &&
		    !(rights[i].not_inbox && r->inbox));
	json_end_object(w);
}

void
mailbox_put(struct json_writer *w, const struct mailbox_row *r,
    const struct mirror_counts *n, uint64_t want)
{
	char id[JMAP_ID_MAX];
	const char *role = mailbox_role_name(r->role);

	if (want & MAILBOX_ID)
		json_kv_string(w, "id", jmap_id(id, OBJECT_MAILBOX, r->id));
	if (want & MAILBOX_NAME)
		json_kv_string(w, "name", r->name);
	if (want & MAILBOX_PARENT) {
		json_key(w, "parentId");
		if (r->parent == 0)
			json_null(w);
		else
			json_string(w, jmap_id(id, OBJECT_MAILBOX, r->parent));
	}
	if (want & MAILBOX_ROLE)
		json_kv_str(w, "role", *role != '\0' ? role : NULL);
	if (want & MAILBOX_ORDER)
		json_kv_uint(w, "sortOrder", r->order);
	if (want & MAILBOX_TOTAL_EMAILS)
		json_kv_uint(w, "totalEmails", n->total_emails);
	if (want & MAILBOX_UNREAD_EMAILS)
		json_kv_uint(w, "unreadEmails", n->unread_emails);
	if (want & MAILBOX_TOTAL_THREADS)
		json_kv_uint(w, "totalThreads", n->total_threads);
	if (want & MAILBOX_UNREAD_THREADS)
		json_kv_uint(w, "unreadThreads", n->unread_threads);
	if (want & MAILBOX_RIGHTS) {
		json_key(w, "myRights");
		mailbox_put_rights(w, r);
	}
	if (want & MAILBOX_SUBSCRIBED)
		json_kv_bool(w, "isSubscribed", r->subscribed);
}
