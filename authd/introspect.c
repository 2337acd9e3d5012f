#include "authd/introspect.h"

#include "common/json/json.h"

enum status
introspection_read(struct span body, const struct jwt_rules *rules, struct introspection *out,
    struct buf *user)
{
	struct json_doc *doc = NULL;
	const struct json *claims;
	enum status st = ST_OK;
	bool active;

	*out = (struct introspection){ JWT_INACTIVE, INT64_MAX };
	if (json_parse(body, INTROSPECTION_MAX, &doc) != ST_OK)
		return ST_SYNTAX;
	claims = json_root(doc);
	if (!json_get_bool(claims, "active", &active))
		st = ST_SYNTAX;
	else if (active)
		out->verdict = jwt_judge(claims, rules, true, user);
	(void)json_get_int(claims, "exp", &out->exp_s);
	json_free(&doc);
	return st;
}
