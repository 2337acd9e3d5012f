/* The section `jmap`. */
#include "common/conf/settings_priv.h"

const struct conf_field conf_jmap_fields[] = {
	CONF_STRING(conf_jmap, url, "", CONF_RELOAD,
	    "Where clients reach JMAP, \"https://mail.example.org\", without a path: the start of the "
	    "URLs in the session object, and what IMAP clients are told (JMAPACCESS, RFC 9698).  "
	    "Empty: the URLs begin as the client named the server, and IMAP clients are told nothing."),
	CONF_TIME(conf_jmap, idle_timeout, "2min", "5s", "1d", CONF_RELOAD,
	    "How long a connection may wait for its next request.  Streams of events and "
	    "WebSockets are not meant."),
	CONF_TIME(conf_jmap, head_timeout, "20s", "1s", "10min", CONF_RELOAD,
	    "In which the line and the fields of a request have to come."),
	CONF_TIME(conf_jmap, body_timeout, "30s", "1s", "10min", CONF_RELOAD,
	    "In which at least 4 KiB of a body have to move, in either direction."),
	CONF_INT(conf_jmap, max_requests, "100000", "1", "1000000000", CONF_RELOAD,
	    "Requests of one connection; then it is closed behind an answer."),
	CONF_INT(conf_jmap, max_streams, "32", "8", "256", CONF_RELOAD,
	    "Requests at a time on one connection of HTTP/2."),
	CONF_INT(conf_jmap, max_logins, "5", "1", "100", CONF_RELOAD,
	    "Failed logins on a connection before it is closed."),
	CONF_BOOL(conf_jmap, compress, "yes", CONF_RELOAD,
	    "Compress answers (zstd, gzip) for clients that ask for it."),
	CONF_TIME(conf_jmap, hsts, "0", "0", "3650d", CONF_RELOAD,
	    "Tell browsers to use TLS alone for so long (Strict-Transport-Security).  0: do not."),
	CONF_STRINGS(conf_jmap, origins, "", CONF_RELOAD,
	    "Web applications elsewhere that may talk to this server from a browser (CORS, and the "
	    "origin of WebSockets): \"https://webmail.example.org\".  \"*\": any."),
	CONF_CIDRS(conf_jmap, trusted_proxies, "", CONF_RELOAD,
	    "Reverse proxies whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and "
	    "Forwarded are believed."),
	CONF_SIZE(conf_jmap, max_size_upload, "50000000", "1M", "1G", CONF_RELOAD,
	    "Largest file that a client may upload (maxSizeUpload)."),
	CONF_INT(conf_jmap, max_concurrent_upload, "8", "1", "100", CONF_RELOAD,
	    "Uploads of one login at a time, in one worker (maxConcurrentUpload)."),
	CONF_SIZE(conf_jmap, max_size_request, "10000000", "64K", "100M", CONF_RELOAD,
	    "Longest request (maxSizeRequest)."),
	CONF_INT(conf_jmap, max_concurrent_requests, "64", "1", "1000", CONF_RELOAD,
	    "Requests of one login at a time, in one worker (maxConcurrentRequests)."),
	CONF_INT(conf_jmap, max_push_connections, "1000", "1", "100000", CONF_RELOAD,
	    "Streams of events and WebSockets of one login at a time, in one worker."),
	CONF_TIME(conf_jmap, websocket_ping, "5min", "0", "1d", CONF_RELOAD,
	    "A client of a WebSocket that says nothing for so long is asked whether it is there, and "
	    "given up after as long again.  0: never."),
	CONF_INT(conf_jmap, max_calls_in_request, "64", "16", "1000", CONF_RELOAD,
	    "Method calls of one request (maxCallsInRequest)."),
	CONF_INT(conf_jmap, max_objects_in_get, "1000", "500", "100000", CONF_RELOAD,
	    "Objects that one call may ask for (maxObjectsInGet)."),
	CONF_INT(conf_jmap, max_objects_in_set, "1000", "500", "100000", CONF_RELOAD,
	    "Objects that one call may create, change and destroy (maxObjectsInSet)."),
	CONF_SIZE(conf_jmap, max_size_answer, "50000000", "1M", "1G", CONF_RELOAD,
	    "Longest answer to a request; a method that would make it longer fails."),
	CONF_SIZE(conf_jmap, mirror_memory, "256M", "1M", "64G", CONF_RELOAD,
	    "Memory of a worker for what lists and counts are made of, some 70 bytes a message of the "
	    "accounts that are in use.  Accounts that nobody uses give way; one that does not fit "
	    "cannot be queried."),
	CONF_END
};
