/* common/util/list.h
 * Doubly linked lists through a member of the things listed.  A head is a
 * struct list that points to itself when empty. */
#ifndef COMMON_UTIL_LIST_H
#define COMMON_UTIL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))
/* The visited entry may be removed in the body. */
#define list_each(node, tmp, head) \
	for ((node) = (head)->next, (tmp) = (node)->next; (node) != (head); \
	    (node) = (tmp), (tmp) = (node)->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l || l->next == NULL;
}

static inline void
list_insert_before(struct list *at, struct list *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void
list_push_back(struct list *head, struct list *n)
{
	list_insert_before(head, n);
}

static inline void
list_push_front(struct list *head, struct list *n)
{
	list_insert_before(head->next, n);
}

/* Harmless on a node that is in no list (zeroed or removed). */
static inline void
list_remove(struct list *n)
{
	if (n->next != NULL) {
		n->next->prev = n->prev;
		n->prev->next = n->next;
	}
	n->next = n->prev = NULL;
}

#endif
