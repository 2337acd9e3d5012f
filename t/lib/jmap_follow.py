"""A JMAP client's caches: Emails, Threads and lists of queries, kept by /changes and /queryChanges alone,
and compared with what a fresh look shows."""

QUERIES = [
    {"filter": {"inMailbox": "INBOX"}},
    {"filter": {"inMailbox": "INBOX"}, "collapseThreads": True},
    {"filter": {"notKeyword": "$seen"}, "sort": [{"property": "subject"}]},
    {"filter": {"text": "word3"}},
    {"filter": {"someInThreadHaveKeyword": "$flagged"}, "collapseThreads": True,
     "sort": [{"property": "from"}, {"property": "receivedAt", "isAscending": False}]},
    {"filter": {"operator": "NOT", "conditions": [{"inMailbox": "A"}, {"hasKeyword": "work"}]},
     "sort": [{"property": "someInThreadHaveKeyword", "keyword": "$seen"}, {"property": "size"}]},
    {"filter": {"operator": "AND", "conditions": [{"body": "text"}, {"inMailboxOtherThan": ["Trash"]}]},
     "sort": [{"property": "allInThreadHaveKeyword", "keyword": "$seen", "isAscending": False}]},
]
PROPERTIES = ["threadId", "mailboxIds", "keywords"]


def named(q, ids):
    """The query with the ids of the mailboxes that it names."""
    if isinstance(q, dict):
        return {k: named(v, ids) if k not in ("inMailbox", "inMailboxOtherThan") else
                ids[v] if k == "inMailbox" else [ids[x] for x in v] for k, v in q.items()}
    return [named(x, ids) for x in q] if isinstance(q, list) else q


class Follower:
    def __init__(self, client, queries, rnd):
        self.c, self.rnd = client, rnd
        # States first: what changes behind them is told again.
        self.state = self.c.call("Email/get", ids=[], properties=["id"])["state"]
        self.thread_state = self.c.call("Thread/get", ids=[])["state"]
        self.emails = {e["id"]: e for e in self.get(self.c.call("Email/query")["ids"])}
        self.threads = self.get_threads({e["threadId"] for e in self.emails.values()})
        self.queries = []
        for q in queries:
            r = self.c.call("Email/query", calculateTotal=True, **q)
            assert r["canCalculateChanges"] and r["total"] == len(r["ids"])
            self.queries.append([q, r["queryState"], r["ids"]])

    def get(self, ids):
        out, ids = [], list(ids)
        for at in range(0, len(ids), 500):
            out += self.c.call("Email/get", ids=ids[at:at + 500], properties=PROPERTIES)["list"]
        return out

    def get_threads(self, ids):
        out, ids = {}, list(ids)
        for at in range(0, len(ids), 500):
            out.update((t["id"], t["emailIds"]) for t in
                       self.c.call("Thread/get", ids=ids[at:at + 500])["list"])
        return out

    def changes(self, method, state, known):
        """(ids created or updated, newState); known: a dict, what is destroyed leaves it."""
        more, touched = True, set()
        while more:
            args = {"maxChanges": self.rnd.randint(3, 20)} if self.rnd.random() < .7 else {}
            r = self.c.call(method, sinceState=state, **args)
            assert len(r["created"]) + len(r["updated"]) + len(r["destroyed"]) <= \
                args.get("maxChanges", 1 << 60), r
            for x in r["created"]:
                known.setdefault(x, None)
            for x in r["updated"]:
                assert x in known, (method, x, state, r)
            for x in r["destroyed"]:
                known.pop(x, None)
            touched |= set(r["created"]) | set(r["updated"])
            state, more = r["newState"], r["hasMoreChanges"]
        return touched & set(known), state

    def follow_emails(self):
        ids, self.state = self.changes("Email/changes", self.state, self.emails)
        got = {e["id"]: e for e in self.get(ids)}
        for x in ids:
            self.emails[x] = got.get(x)     # None: gone since; that is told the next time

    def follow_threads(self):
        ids, self.thread_state = self.changes("Thread/changes", self.thread_state, self.threads)
        got = self.get_threads(ids)
        for x in ids:
            self.threads[x] = got.get(x)

    def follow_queries(self):
        for q in self.queries:
            d = self.c.call("Email/queryChanges", sinceQueryState=q[1], calculateTotal=True, **q[0])
            gone = set(d["removed"])
            q[2] = [x for x in q[2] if x not in gone]
            for a in d["added"]:
                q[2].insert(a["index"], a["id"])
            q[1] = d["newQueryState"]
            assert d["total"] == len(q[2]), (q[0], d, len(q[2]))

    def follow(self):
        self.follow_emails()
        self.follow_threads()
        self.follow_queries()

    def check(self, now):
        """Nobody changes anything meanwhile; now: all Emails, by id."""
        self.follow()
        assert self.emails == now, [(self.emails.get(x), now.get(x)) for x in set(now) | set(self.emails)
                                    if self.emails.get(x) != now.get(x)][:5]
        threads = {}
        for e in now.values():
            threads.setdefault(e["threadId"], set()).add(e["id"])
        assert set(self.threads) == set(threads), set(self.threads) ^ set(threads)
        for t, inside in threads.items():
            assert set(self.threads[t]) == inside, (t, self.threads[t], inside)
        for q, _, ids in self.queries:
            fresh = self.c.call("Email/query", **q)["ids"]
            assert ids == fresh, (q, ids, fresh)

    def fresh(self):
        return {e["id"]: e for e in self.get(self.c.call("Email/query")["ids"])}

    def check_counts(self, now):
        for m in self.c.call("Mailbox/get", ids=None)["list"]:
            inside = [e for e in now.values() if m["id"] in e["mailboxIds"]]
            assert m["totalEmails"] == len(inside), m
            assert m["totalThreads"] == len({e["threadId"] for e in inside}), m
            assert m["unreadEmails"] == len([e for e in inside if not
                                             {"$seen", "$draft"} & set(e["keywords"])]), m
