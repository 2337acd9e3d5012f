/* variables (RFC 5229), include (RFC 6609), ihave (RFC 5463). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

static const char mail[] =
    "From: coyote@desert.example.org\r\n"
    "To: coyote@ACME.Example.COM\r\n"
    "Subject: [acme-users] [fwd] version 1.0 is out\r\n"
    "List-ID: Dear <users@lists.example.com>\r\n"
    "\r\nx\r\n";

#define VAR "require [\"variables\", \"fileinto\", \"relational\", \"comparator-i;ascii-numeric\"];"
#define RUN(script, want) assert_string_equal(sieve_once(VAR script, mail), want)
/* The value ends up as a mailbox's name. */
#define VALUE(set, want) RUN(set " fileinto \"<${v}>\";", "fileinto <" want ">")
#define TOLD(script, want) do {							\
	const char *told_ = sieve_told(script);					\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)

static void
variables_are_replaced_in_strings(void **state)
{
	VALUE("set \"v\" \"x\";", "x");
	VALUE("set \"V\" \"x${v}y\"; set \"v\" \"${V}${v}\";", "xyxy");
	VALUE("", "");
	VALUE("set \"a\" \"1\"; set \"v\" \"${a} ${ a} ${a ${a} $a} ${} ${a!}\";",
	    "1 ${ a} ${a 1 $a} ${} ${a!}");
	VALUE("set \"a\" \"{v}\"; set \"v\" \"$${a}\";", "${v}");
	RUN("set \"company\" \"ACME\"; fileinto \"&%${}!${company}\";", "fileinto &%${}!ACME");
}

static void
modifiers_apply_in_their_order(void **state)
{
#define A "set \"a\" \"juMBlEd lETteRS\";"
	VALUE(A "set :length \"v\" \"${a}\";", "15");
	VALUE(A "set :lower \"v\" \"${a}\";", "jumbled letters");
	VALUE(A "set :upper \"v\" \"${a}\";", "JUMBLED LETTERS");
	VALUE(A "set :upperfirst \"v\" \"${a}\";", "JuMBlEd lETteRS");
	VALUE(A "set :upperfirst :lower \"v\" \"${a}\";", "Jumbled letters");
	VALUE(A "set :lowerfirst :upper \"v\" \"${a}\";", "jUMBLED LETTERS");
	VALUE("set :quotewildcard \"v\" \"Rock*?\\\\\";", "Rock\\*\\?\\\\");
	VALUE("set :length :quotewildcard \"v\" \"*\xC3\xBC*\";", "5");
	TOLD(VAR "set :lower :upper \"v\" \"x\";", "':lower' and ':upper' cannot stand together");
	TOLD(VAR "set :lower :lower \"v\" \"x\";", "given twice");
	TOLD(VAR "set :reverse \"v\" \"x\";", "unknown tagged argument ':reverse' for the set command");
}

static void
matches_leave_their_parts(void **state)
{
	RUN("if header :matches \"List-ID\" \"*<*@*\" { fileinto \"l.${2}\"; }", "fileinto l.users");
	RUN("if header :matches \"Subject\" \"[*] *\" { fileinto \"${1}|${2}|${0}|${3}\"; }",
	    "fileinto acme-users|[fwd] version 1.0 is out|"
	    "[acme-users] [fwd] version 1.0 is out|");
	RUN("if address :matches [\"To\", \"Cc\"] [\"coyote@**.com\", \"wile@**.com\"] {"
	    "fileinto \"${0}|${1}|${2}\"; }", "fileinto coyote@ACME.Example.COM||ACME.Example");
	RUN("if header :matches \"subject\" \"[acme-?????] [???] *\" { fileinto \"${1}${006} ${9}\"; }",
	    "fileinto uf version 1.0 is out");
	/* A match that fails changes nothing; one that is not made neither. */
	RUN("if header :matches \"subject\" \"[*]*\" { if not header :matches \"subject\" \"x*\" {"
	    "if anyof (true, header :matches \"to\" \"*\") { fileinto \"${1}\"; } } }",
	    "fileinto acme-users");
}

static void
string_compares_values(void **state)
{
	RUN("set \"s\" \"new pending\"; if string :matches \" ${s} \" \"* pending *\" { discard; }",
	    "discard");
	RUN("if string :is [\"a\", \" b \"] \"b\" { discard; }", "keep");
	RUN("if string :count \"eq\" :comparator \"i;ascii-numeric\" [\"\", \"${x}\", \"a\"] \"1\" "
	    "{ discard; }", "discard");
}

static void
names_of_variables_are_checked(void **state)
{
	TOLD(VAR "set \"1\" \"x\";", "is no name of a variable");
	TOLD(VAR "set \"a b\" \"x\";", "is no name of a variable");
	TOLD(VAR "set \"${a}\" \"x\";", "cannot have variables in it");
	TOLD(VAR "set \"a.b\" \"x\";", "unknown namespace 'a'");
	TOLD(VAR "set \"a\" \"${b.c}\";", "unknown namespace 'b'");
	TOLD(VAR "keep; set \"a\" \"${33}\";", "there is no match variable '${33}'");
	TOLD(VAR "fileinto \"${never}\";", "the variable '${never}' is never set");
	assert_string_equal(sieve_once("require \"fileinto\"; fileinto \"${a}\";", mail),
	    "fileinto ${a}");
}

static void
long_values_are_cut_at_a_character(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	c.limits.variable_bytes = 5;
	assert_true(sieve_case_add(&c, VAR
	    "set \"a\" \"1234\xC3\xBC\"; set \"b\" \"${a}567\"; fileinto \"${b}${a}\";"));
	assert_string_equal(sieve_case_run(&c, mail), "fileinto 123451234");
	sieve_case_fini(&c);
}

/* --- include --------------------------------------------------------------------------------- */

struct library {
	const char		*name, *text;
	struct sieve_script	*script;
};

static enum sieve_answer
from_library(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	struct library *l = arg;

	assert_true(q->ask == SIEVE_ASK_PERSONAL_SCRIPT || q->ask == SIEVE_ASK_GLOBAL_SCRIPT);
	if (span_eq_str(q->name, "later"))
		return SIEVE_NOT_KNOWN;
	for (; l->name != NULL; l++) {
		if (span_eq_str(q->name, l->name)) {
			reply->yes = true;
			reply->script = l->script;
			reply->text = SPAN_LIT("line 1");
		}
	}
	return SIEVE_KNOWN;
}

static struct sieve_limits limits;	/* of include() */

/* What the script does with the library at hand. */
static void
include(const char *script, struct library *l, const char *want)
{
	struct sieve_case c;

	sieve_case_init(&c);
	c.limits = limits;
	for (struct library *k = l; k->name != NULL; k++) {
		struct sieve_problems p = { 0 };

		k->script = sieve_compile(span_str(k->text), &c.options, &p);
		sieve_problems_fini(&p);
	}
	c.env.ask = from_library;
	c.env.ask_arg = l;
	assert_true(sieve_case_add(&c, script));
	assert_string_equal(sieve_case_run(&c, mail), want);
	sieve_case_fini(&c);
	for (struct library *k = l; k->name != NULL; k++)
		sieve_script_free(&k->script);
}

static void
other_scripts_are_included(void **state)
{
	struct library l[] = {
		{ "lists", "require \"fileinto\"; fileinto \"Lists\";" },
		{ "stops", "discard; stop;" },
		{ "returns", "require \"include\"; if true { return; } discard;" },
		{ "self", "require \"include\"; include \"self\";" },
		{ "once", "require \"include\"; include :once \"once\"; discard;" },
		{ "broken", "if" },
		{ 0 }
	};

#define INC "require \"include\";\r\n"
	include(INC "include \"lists\"; keep;", l, "fileinto Lists, keep");
	include(INC "include \"stops\"; keep;", l, "discard");
	include(INC "include \"returns\";", l, "keep");
	include(INC "include :once \"lists\"; include :once \"lists\";", l, "fileinto Lists");
	include(INC "include :once \"once\";", l, "discard");
	include(INC "return; discard;", l, "keep");
	include(INC "include :optional \"none\"; discard;", l, "discard");
	include(INC "include \"none\"; discard;", l,
	    "error 2: there is no personal script \"none\" to include: keep");
	include(INC "include \"self\";", l,
	    "error 1: the script \"self\" includes itself: keep");
	include(INC "include \"broken\";", l,
	    "error 2: the included script \"broken\" has errors: line 1: keep");
	include(INC "discard; include \"later\";", l, "asks later");
	TOLD(INC "include \"\";", "this is no name of a script");
}

static void
scripts_share_global_variables_only(void **state)
{
	struct library l[] = {
		{ "sub", "require [\"include\", \"variables\"]; global [\"test\", \"box\"];"
		    "set \"mine\" \"lost\";"
		    "if header :contains \"Subject\" \"${test}\" { set \"box\" \"spam-${test}\"; }" },
		{ "space", "require [\"include\", \"variables\"]; set \"global.box\" \"G\";" },
		{ 0 }
	};

#define SHARE "require [\"fileinto\", \"include\", \"variables\"];\r\n"
	include(SHARE "global \"test\"; global \"box\"; set \"mine\" \"kept\"; set \"test\" \"fwd\";"
	    "include \"sub\"; fileinto \"${box}-${mine}-${global.test}\";", l,
	    "fileinto spam-fwd-kept-fwd");
	include(SHARE "include \"space\"; global \"box\"; fileinto \"${box}\";", l, "fileinto G");
	TOLD("require \"include\"; global \"a\";", "needs require \"variables\"");
	TOLD(SHARE "set \"a\" \"1\"; global \"a\";", "is set before it is declared global");
	TOLD(SHARE "set \"global.12\" \"1\";", "is no variable of 'global'");
	TOLD(SHARE "global \"x.y\";", "is no name of a variable");
}

static void
the_scripts_to_fetch_are_listed(void **state)
{
	struct sieve_case c;
	const struct sieve_included *v;
	size_t n;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, INC "include \"a\"; include :global \"a\";"
	    "if true { include :optional \"b\"; include \"a\"; }"));
	v = sieve_script_includes(c.scripts[0], &n);
	assert_int_equal(n, 3);
	assert_true(!v[0].global && v[1].global && v[2].optional);
	sieve_case_fini(&c);
}

/* --- ihave ----------------------------------------------------------------------------------- */

static void
ihave_brings_what_there_is(void **state)
{
#define HAVE(script, want) assert_string_equal(sieve_once("require \"ihave\";\r\n" script, mail), want)
	HAVE("if ihave \"fileinto\" { fileinto \"A\"; } else { discard; }", "fileinto A");
	HAVE("if ihave \"vnd.none\" { none :tag \"x\" 4; } else { discard; }", "discard");
	HAVE("if ihave [\"fileinto\", \"vnd.none\"] { discard; }", "keep");
	HAVE("if true { fileinto \"A\"; }", "error 2: 'fileinto' needs \"fileinto\", which neither "
	    "require nor a successful ihave has named: keep");
	HAVE("if not ihave \"copy\" { stop; }\r\nredirect :copy \"a@b.example\";",
	    "redirect a@b.example, keep");
	HAVE("keep;\r\nnone \"x\";", "error 3: unknown command 'none': keep");
	HAVE("if header :comparator \"i;none\" \"a\" \"b\" { stop; }",
	    "error 2: unknown comparator \"i;none\": keep");
	HAVE("if ihave \"variables\" { discard; }", "keep");
	HAVE("discard; error \"Sorry ${a}\";", "error 2: Sorry ${a}: keep");
}

static void
includes_are_limited(void **state)
{
	struct library l[] = {
		{ "a", INC "include \"b\";" }, { "b", INC "include \"c\";" }, { "c", "discard;" },
		{ NULL, NULL },
	};

	limits.nested_includes = 3;
	include(INC "include \"a\";", l, "discard");
	limits.nested_includes = 2;
	include(INC "include \"a\";", l,
	    "error 2: scripts include one another too deeply: at most 2 levels are allowed: keep");
	limits = (struct sieve_limits){ .includes = 3 };
	include(INC "include \"c\"; include \"c\"; include \"c\";", l, "discard");
	include(INC "include \"c\";\r\ninclude \"c\"; include \"c\";\r\ninclude \"c\";", l,
	    "error 4: too many scripts are included: at most 3 are allowed: keep");
	limits = (struct sieve_limits){ 0 };
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_replaced_in_strings),
		cmocka_unit_test(modifiers_apply_in_their_order),
		cmocka_unit_test(matches_leave_their_parts),
		cmocka_unit_test(string_compares_values),
		cmocka_unit_test(names_of_variables_are_checked),
		cmocka_unit_test(long_values_are_cut_at_a_character),
		cmocka_unit_test(other_scripts_are_included),
		cmocka_unit_test(includes_are_limited),
		cmocka_unit_test(scripts_share_global_variables_only),
		cmocka_unit_test(the_scripts_to_fetch_are_listed),
		cmocka_unit_test(ihave_brings_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
